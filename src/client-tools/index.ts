import type { Readable, Writable } from 'node:stream';
import type { Call } from '../call.js';
import type { Connect } from '../config/index.js';
import { applicationName, readLogin } from '../session/index.js';
import { openEnvironment, type ToolEnvironment } from './environment.js';
import { findTool, type Tool } from './find.js';
import { runProgram } from './run.js';

export { ToolError } from './failure.js';
export { findNewestTool, findTool, type Tool, type ToolName, type ToolRequest } from './find.js';
export { runProgram, type ProgramRun } from './run.js';
export type { ToolEnvironment } from './environment.js';

export interface ToolRun {
  readonly call: Call;
  readonly tool: Tool;
  /** The connection is not among them. */
  readonly args: readonly string[];
  /** Where the tool connects. Default: nowhere. */
  readonly source?: Connect;
  /** For stdin. */
  readonly input?: Readable;
  /** Takes stdout; default: it is returned. */
  readonly output?: Writable;
  /** Default: that of the call. */
  readonly stop?: AbortSignal;
}

/**
 * Runs a client tool to its end and gives what it wrote to stdout; it connects as pg would, by environment variables only. Ended when told
 * to stop, whose reason is thrown then. Throws {@link ToolError} with what the tool said, without the password.
 */
export async function runTool({ call, tool, args, source, input, output, stop = call.stop }: ToolRun): Promise<string> {
  await using environment = await openToolEnvironment(call, source, tool.name);
  const { variables, secrets } = environment;
  return await runProgram({ file: tool.file, args, variables, secrets, stop, ...(input && { input }), ...(output && { output }) });
}

/** The environment of a child process that connects to a source, or that connects nowhere. */
export async function openToolEnvironment(call: Call, source: Connect | undefined, name: string): Promise<ToolEnvironment> {
  const { application, timeouts } = call.config;
  const login = source && (await readLogin(source));
  return await openEnvironment({ login, application: applicationName(application.name, `/${name}`), connectMs: timeouts.connectMs });
}

export interface SchemaDump {
  readonly call: Call;
  readonly source: Connect;
  /** As server_version_num. */
  readonly serverVersion: number;
  /** Beside what says of the rows: `--no-owner`, `--schema=...`. */
  readonly args?: readonly string[];
  /** `left out` (the default), or `as inserts`. */
  readonly rows?: 'left out' | 'as inserts' | undefined;
}

/** The schema of a database as SQL, by pg_dump, with its rows where they are wanted. Reads only. Throws {@link ToolError}, also when pg_dump is older than the server. */
export async function dumpSchema({ call, source, serverVersion, args = [], rows = 'left out' }: SchemaDump): Promise<string> {
  const tool = await findDump(call, serverVersion);
  const waiting = `--lock-wait-timeout=${call.config.timeouts.lockMs}`;
  return withoutRestriction(await runTool({ call, tool, source, args: [...rowArgs[rows], '--no-password', waiting, ...args] }));
}

// Large objects are no table's rows.
const rowArgs = { 'left out': ['--schema-only'], 'as inserts': ['--inserts', '--no-blobs'] } as const;

// Two commands of psql around the script, with a random word, since the minor releases of August 2025: no server knows them.
function withoutRestriction(script: string): string {
  const word = /^\\restrict (\w+)$/m.exec(script)?.[1];
  return word === undefined ? script : script.replace(`\\restrict ${word}\n`, '').replace(`\\unrestrict ${word}\n`, '');
}

/** A pg_dump that can dump a server of this version. Throws {@link ToolError}. */
export async function findDump({ stop }: Pick<Call, 'stop'>, serverVersion: number): Promise<Tool> {
  return await findTool({ name: 'pg_dump', atLeast: Math.floor(serverVersion / 10_000), of: 'the server', stop });
}
