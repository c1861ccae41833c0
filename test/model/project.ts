import type { Options } from '../../src/index.js';
import { makeDirectory, type Files } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

/** The model of a clinic, as the guide of another tool has it after its second step. */
export const model = `export default async (knex) => {
  await knex.schema.createTable('patients', (t) => { t.bigIncrements(); t.text('name').notNullable(); t.text('email'); t.index('email', 'patients_email'); });
};`;

/** Two migrations that make the same. */
export const migrations: Files = {
  'migrations/01_patients.js': `
    export const up = async (knex) => await knex.schema.createTable('patients', (t) => { t.bigIncrements(); t.text('name').notNullable(); });
    export const down = async (knex) => await knex.schema.dropTable('patients');`,
  'migrations/02_email.js': `
    export const up = async (knex) => await knex.schema.alterTable('patients', (t) => { t.text('email'); t.index('email', 'patients_email'); });
    export const down = async (knex) => await knex.schema.alterTable('patients', (t) => { t.dropColumn('email'); });`,
};

/** A database of the test's own, a directory with a model and migrations, and the options that lead to all three. */
export async function makeModelled(files: Files = {}): Promise<{ database: TestDatabase; directory: string; options: Options }> {
  const database = await createDatabase();
  const directory = await makeDirectory({ 'package.json': '{ "type": "module" }', 'schema.js': model, ...migrations, ...files });
  const options = {
    connection: database.url,
    migrations: `${directory}/migrations`,
    schema: `${directory}/schema.js`,
    logger: false as const,
  };
  return { database, directory, options };
}

/** The relations of a database, by name; `history`: what is recorded, null where there is no such table. */
export async function relationsOf(database: TestDatabase): Promise<readonly string[]> {
  const rows = await database.query(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'i') and relname !~ '^knex_' order by 1`,
  );
  return rows.map(({ relname }) => relname as string);
}
