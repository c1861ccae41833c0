import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { inheritedVariables, searchedDirectories } from '../config/index.js';
import { ToolError } from './failure.js';
import { runProgram } from './run.js';

export type ToolName = 'pg_dump' | 'pg_restore' | 'psql';

/** A client tool of PostgreSQL on this machine. */
export interface Tool {
  readonly name: ToolName;
  readonly file: string;
  readonly major: number;
  /** As it says itself: `15.18`. */
  readonly version: string;
}

export interface ToolRequest {
  readonly name: ToolName;
  /** The major version that it must have at least. */
  readonly atLeast: number;
  /** For whom it must not be too old: `the server`. */
  readonly of: string;
  readonly stop: AbortSignal;
}

/** Where Debian and Ubuntu keep the tools of each major version. */
const versionedDirectory = '/usr/lib/postgresql';

/**
 * Finds a client tool: on PATH, then in /usr/lib/postgresql/<major>/bin. Of those that are new enough the oldest is taken, since a newer one
 * writes settings that an older server does not know. Throws {@link ToolError} when there is none, or all are too old.
 */
export async function findTool(request: ToolRequest): Promise<Tool> {
  const found = await listTools(request);
  const [best] = found.filter(({ major }) => major >= request.atLeast).sort((one, other) => one.major - other.major);
  if (best === undefined) throw noneFits(request, found);
  return best;
}

/** The newest one there is: it reads the archives of all the others. Throws {@link ToolError} when there is none. */
export async function findNewestTool(request: Pick<ToolRequest, 'name' | 'stop'>): Promise<Tool> {
  const [newest] = (await listTools(request)).sort((one, other) => other.major - one.major);
  if (newest === undefined) throw noneFits({ ...request, atLeast: 0, of: '' }, []);
  return newest;
}

async function listTools({ name, stop }: Pick<ToolRequest, 'name' | 'stop'>): Promise<Tool[]> {
  const files = [...searchedDirectories(), ...(await versionedDirectories())].map((directory) => path.join(directory, name));
  const tools = await Promise.all([...new Set(files)].map(async (file) => await readTool(name, file, stop)));
  return tools.filter((tool) => tool !== undefined);
}

async function versionedDirectories(): Promise<string[]> {
  const majors = await readdir(versionedDirectory).catch(() => []);
  return majors.map((major) => path.join(versionedDirectory, major, 'bin'));
}

async function readTool(name: ToolName, file: string, stop: AbortSignal): Promise<Tool | undefined> {
  try {
    await access(file, constants.X_OK);
    const text = await runProgram({ file, args: ['--version'], variables: inheritedVariables(), stop });
    const [, version, major] = /\(PostgreSQL\) ((\d+)\S*)/.exec(text) ?? [];
    return version === undefined ? undefined : { name, file, version, major: Number(major) };
  } catch {
    stop.throwIfAborted();
    return undefined; // not there, or not for this system
  }
}

function noneFits({ name, atLeast, of }: ToolRequest, found: readonly Tool[]): ToolError {
  const wanted = atLeast > 0 ? ` of PostgreSQL ${atLeast} or later` : '';
  const packages =
    atLeast > 0 ? `postgresql-client-${atLeast} on Debian and Ubuntu, postgresql${atLeast}-client on Alpine` : 'postgresql-client';
  const remedy = `Install the client tools${wanted} (package ${packages}), so that ${name} is on PATH.`;
  if (found.length === 0) return new ToolError(`${name} is not on this machine: neither on PATH nor below ${versionedDirectory}`, remedy);
  const shown = found.map(({ file, version }) => `${file} is ${version}`).join(', ');
  return new ToolError(`${name} is older than ${of}, which is PostgreSQL ${atLeast}: ${shown}`, remedy);
}
