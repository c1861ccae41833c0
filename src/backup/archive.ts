import { open } from 'node:fs/promises';
import { devNull } from 'node:os';
import type { Call } from '../call.js';
import { findNewestTool, runTool, ToolError, type Tool } from '../client-tools/index.js';
import { messageOf, MigrationError } from '../errors.js';

/** A file of pg_dump in custom format, whole. */
export interface Archive {
  readonly file: string;
  /** The major version of the pg_dump that wrote it: an older pg_restore cannot read it. */
  readonly dumpedBy: number;
}

const magic = 'PGDMP';

/**
 * Reads a backup to its end, which finds one that is cut off or damaged: its list of contents, which stands at the beginning, does not tell.
 * Connects to nothing. Throws EM_RESTORE_REFUSED.
 */
export async function openArchive(call: Call, file: string): Promise<Archive> {
  if ((await readBeginning(file)) !== magic) throw notCustom(file);
  const tool = await findReader(call);
  const contents = await read({ call, tool, file, args: ['--list'] });
  await read({ call, tool, file, args: [`--file=${devNull}`] });
  return { file, dumpedBy: Number(/^;\s+Dumped by pg_dump version: (\d+)/m.exec(contents)?.[1] ?? 0) };
}

async function readBeginning(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(magic.length), 0, magic.length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch (error) {
    throw refused(`the backup cannot be read: ${messageOf(error)}`, { cause: error, remedy: 'Correct the path of the file.' });
  }
}

async function findReader(call: Call): Promise<Tool> {
  try {
    return await findNewestTool({ name: 'pg_restore', stop: call.stop });
  } catch (error) {
    throw asRefusal(call, 'the backup cannot be read', error);
  }
}

interface Reading {
  readonly call: Call;
  readonly tool: Tool;
  readonly file: string;
  readonly args: readonly string[];
}

async function read({ call, tool, file, args }: Reading): Promise<string> {
  try {
    return await runTool({ call, tool, args: [...args, '--', file] });
  } catch (error) {
    throw asRefusal(call, `the backup ${file} cannot be read to its end, so it is cut off or damaged`, error);
  }
}

function asRefusal(call: Call, what: string, error: unknown): MigrationError {
  call.stop.throwIfAborted();
  const remedy = (error instanceof ToolError && error.remedy) || 'Give another backup. Nothing was changed.';
  return refused(`${what}: ${messageOf(error)}`, { cause: error, remedy });
}

function notCustom(file: string): MigrationError {
  return refused(`${file} is not a backup: it is no archive in the custom format of pg_dump`, {
    remedy: 'Give a file that `backup`, or `pg_dump --format=custom`, has written. Nothing was changed.',
  });
}

export function refused(message: string, details: { readonly remedy: string; readonly cause?: unknown }): MigrationError {
  return new MigrationError('EM_RESTORE_REFUSED', message, details);
}
