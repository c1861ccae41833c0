import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { resolveConfig } from '../../src/config/index.js';
import { startCall, type Call } from '../../src/call.js';
import { afterFile } from './cleanup.js';
import { major } from './majors.js';
import type { TestDatabase } from './servers.js';
import { describeWith } from './tools.js';

const newest = findNewest();

/** The server major of the tests with client tools: the suite's own where the tools can dump it, else 15. */
export const dumpableMajor = newest.major >= major ? major : 15;

/** A server major that the tools are too old for, if the tests have one. */
export const undumpableMajor = newest.major < 18 ? 18 : undefined;

/** `describe` for tests that need pg_dump and pg_restore. */
export function describeWithClientTools(title: string, tests: () => void): void {
  const missing = 'install postgresql-client 15 or later to run these';
  describeWith({ available: newest.major >= 15, missing, required: true }, title, tests);
}

/** What pg_dump says of the database, by default of all of it; without the random word that newer ones put around it. */
export function dumpOf(database: Pick<TestDatabase, 'url'>, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(newest.file, [`--dbname=${database.url}`, ...args], { encoding: 'utf8', maxBuffer: 1e9 });
  if (status !== 0) throw new Error(stderr);
  return stdout.replaceAll(/^\\(un)?restrict \w+\n/gm, '');
}

/** A call on a database, for what takes one; ended after the file's tests. */
export function callOn(database: Pick<TestDatabase, 'url'>, signal?: AbortSignal): Call {
  const call = startCall(resolveConfig({ connection: database.url, logger: false, application: { name: 'clinic' }, signal }));
  afterFile(async () => call[Symbol.dispose]());
  return call;
}

function findNewest(): { readonly file: string; readonly major: number } {
  const tools = [...(process.env['PATH'] ?? '').split(path.delimiter), ...versioned()].map((directory) => {
    const file = path.join(directory, 'pg_dump');
    const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' });
    return { file, major: Number(/\(PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1] ?? 0) };
  });
  return tools.sort((one, other) => other.major - one.major)[0] ?? { file: '', major: 0 };
}

function versioned(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql').map((each) => `/usr/lib/postgresql/${each}/bin`);
  } catch {
    return [];
  }
}
