import { diffSchema, readSchema, type Schema } from '../../src/schema/index.js';
import { tablesOf } from '../../src/history/index.js';
import type { TestDatabase } from '../support/servers.js';

/** The whole schema but for the tables of the history. */
export async function schemaOf(database: TestDatabase, tableName = 'knex_migrations', schemaName?: string): Promise<Schema> {
  const { history, lock, journal } = tablesOf({ tableName, schemaName });
  const query = async (text: string, values?: readonly unknown[]) => (await database.query(text, values)) as never[];
  return await readSchema(query, { excluded: [history, lock, journal], lockTimeoutMs: 10_000 });
}

/** What differs between two databases, in their schema. */
export async function differences(one: TestDatabase, other: TestDatabase): Promise<unknown[]> {
  return diffSchema(await schemaOf(one), await schemaOf(other));
}

/** The history as knex sees it, and what the journal says of each attempt; not why it is breaking: a script is judged by its text alone. */
export async function historyOf(database: TestDatabase): Promise<unknown> {
  const history = await database.query('select id, name, batch from knex_migrations order by id');
  const journal = await database.query(
    `select distinct on (migration) migration, detail - '{started,finished,durationMs,pid,host,tries,lockWaitMs,statementCount,breaks}'::text[] as detail
     from knex_migrations_journal where kind = 'attempt' order by migration, id desc`,
  );
  return { history, journal, locks: await database.query('select is_locked from knex_migrations_lock') };
}

/** Everything that a script could change: the history's tables and those of the migrations, with their rows. */
export async function contentsOf(database: TestDatabase): Promise<unknown> {
  const tables = await database.query(`select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where relkind = 'r' and nspname not like 'pg\\_%' and nspname <> 'information_schema' order by 1`);
  const rowsOf = async (name: string): Promise<unknown> => await database.query(`select to_jsonb(t) as row from ${name} t order by 1`);
  const contents = tables.map(async ({ name }) => [name, await rowsOf(String(name))] as const);
  return Object.fromEntries(await Promise.all(contents));
}
