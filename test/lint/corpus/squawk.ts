import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory } from '../../support/directories.js';
import { major, root } from '../../support/majors.js';
import type { Entry } from './entries.js';

const run = promisify(execFile);
/** npm's lock file cannot hold the binaries of all platforms, so it is no development dependency: `npm install --prefix <directory> squawk-cli` brings it. */
const command = process.env['SQUAWK'] ?? path.join(root, 'node_modules/.bin/squawk');

/** What squawk says of an entry, by its rules. */
export type SquawkFindings = ReadonlyMap<string, readonly string[]>;

/** Undefined where it is not installed. */
export async function squawkVersion(): Promise<string | undefined> {
  if (!existsSync(command)) return undefined;
  const { stdout } = await run(command, ['--version']).catch(() => ({ stdout: '' }));
  return /[\d.]+/.exec(stdout)?.[0];
}

/** A file for each migration; those in a transaction are said to be in one. */
export async function runSquawk(entries: readonly Entry[]): Promise<SquawkFindings> {
  const files = entries.flatMap(({ id, migrations }) =>
    migrations.map(({ transaction, statements }, index) => ({
      id,
      transaction,
      name: `${id}.${index}.sql`,
      text: `${statements.join(';\n')};\n`,
    })),
  );
  const directory = await makeDirectory(Object.fromEntries(files.map(({ name, text }) => [name, text])));
  const found = new Map<string, string[]>(entries.map(({ id }) => [id, []]));
  for (const transaction of [true, false]) {
    const names = files.filter((file) => file.transaction === transaction).map(({ name }) => name);
    for (const { file, rule_name } of await lintFiles(directory, names, transaction)) found.get(idOf(file))?.push(rule_name);
  }
  return found;
}

function idOf(file: string): string {
  return path.basename(file).replace(/\.\d+\.sql$/, '');
}

interface Said {
  readonly file: string;
  readonly rule_name: string;
}

// It exits with 1 where it finds something.
async function lintFiles(directory: string, names: readonly string[], transaction: boolean): Promise<Said[]> {
  const options = ['--reporter', 'json', '--pg-version', `${major}.0`, ...(transaction ? ['--assume-in-transaction'] : [])];
  const { stdout } = await run(command, [...options, ...names], { cwd: directory, maxBuffer: 1e8 }).catch(
    (error: unknown) => error as { stdout: string },
  );
  return JSON.parse(stdout) as Said[];
}

/** What its defaults say of style, and of timeouts, which here the runner sets: not of what the statement does. */
export function isOfStyle(rule: string): boolean {
  return /^(prefer-|require-(lock|statement)-timeout$|ban-char-field$)/.test(rule);
}
