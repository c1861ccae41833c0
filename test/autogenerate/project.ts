import type { Options } from '../../src/index.js';
import { readSchema, type Line } from '../../src/schema/index.js';
import { makeDirectory, type Files } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

export interface Project {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly options: Options;
}

/** A project whose one migration makes `before`, with a model that declares `after`. */
export async function makeProject(before: string, after: string, files: Files = {}): Promise<Project> {
  const database = await createDatabase();
  const directory = await makeDirectory({
    'package.json': '{ "type": "module" }',
    'migrations/20200101000000_start.up.sql': `select 1;\n${before}`,
    'migrations/20200101000000_start.down.sql': 'select 1;',
    'schema.sql': after,
    ...files,
  });
  const options = {
    connection: database.url,
    migrations: `${directory}/migrations`,
    schema: `${directory}/schema.sql`,
    logger: false as const,
  };
  return { database, directory, options };
}

/** What stands in a database, without the history. */
export async function linesOf(database: TestDatabase): Promise<readonly Line[]> {
  const excluded = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'].map((name) => `"${name}"`);
  return (await readSchema(async (text) => await database.query(text), { excluded })).lines;
}
