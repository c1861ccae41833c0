import { chmod, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import type { Options } from '../../src/index.js';
import { holdersOf, sessionsOf } from '../support/boot.js';
import { dumpableMajor } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, first, migrationsOf } from '../boot/fixture.js';

export const second = '02_second.js';

/** A service with rows in its database, at its first migration. */
export interface Clinic {
  readonly database: TestDatabase;
  /** The code of the revision that the database is at. */
  readonly current: string;
  /** For backups. */
  readonly directory: string;
  /** The names of the files in it. */
  files(): Promise<string[]>;
}

export async function makeClinic({ major = dumpableMajor } = {}): Promise<Clinic> {
  const [database, current, directory] = [await createDatabase({ major }), await migrationsOf({}), await makeDirectory()];
  await boot(database, current);
  await database.query(`insert into notes select g, 'note ' || g from generate_series(1, 1000) g`);
  return { database, current, directory, files: async () => (await readdir(directory)).sort() };
}

/** The code of the next revision, whose migration destroys data outside a transaction, and then fails. */
export async function failingUpgrade(): Promise<string> {
  return await migrationsOf({ [second]: { transaction: false, statements: ['delete from notes', 'drop table ran', 'select 1 / 0'] } });
}

export async function goodUpgrade(): Promise<string> {
  return await migrationsOf({ [second]: { statements: ['alter table notes add column author text'] } });
}

/** A directory with programs of these names for PATH, each a shell script; `original` in it is the program's own file. */
export async function fakeTools(scripts: Readonly<Record<string, string>>): Promise<string> {
  const directory = await makeDirectory();
  for (const [name, script] of Object.entries(scripts)) {
    const file = path.join(directory, name);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  }
  return directory;
}

/** All that a failed call could have left in the database: rows, catalogs, locks, sessions. */
export async function tracesIn(database: TestDatabase): Promise<unknown> {
  const rows = await Promise.all(
    ['', '_lock', '_journal'].map(async (suffix) => await database.query(`select * from knex_migrations${suffix} order by 1`)),
  );
  const catalog = await database.query(
    `select oid, relname, xmin::text from pg_class where oid >= 16384 and relkind in ('r', 'i', 'S') order by oid`,
  );
  return { rows, catalog, holders: await holdersOf(database) };
}

export async function expectNoSession(database: TestDatabase): Promise<void> {
  await expect.poll(async () => await sessionsOf(database, 'with watchers')).toEqual([]);
}

export { boot, first };
export type { Options };
