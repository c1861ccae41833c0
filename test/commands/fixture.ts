import type { Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { copyMigrated } from '../support/migrated.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

/** A history of four: a table, a column with rows in it, an index outside a transaction, a script. */
export const names = ['01_orders.js', '02_total.js', '03_index.js', '04_notes.up.sql'] as const;

const files: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  '01_orders.js': `
    export const up = async (knex) => {
      await knex.schema.createTable('orders', (t) => { t.bigIncrements(); t.text('customer').notNullable(); });
      await knex('orders').insert([{ customer: 'a' }, { customer: 'b' }]);
    };
    export const down = async (knex) => await knex.schema.dropTable('orders');`,
  '02_total.js': `
    export const up = async (knex) => await knex.schema.alterTable('orders', (t) => t.integer('total').defaultTo(7));
    export const down = async (knex) => await knex.schema.alterTable('orders', (t) => t.dropColumn('total'));
    export const config = { breaking: false };`,
  '03_index.js': `
    export const up = async (knex) => await knex.raw('create index concurrently orders_customer_idx on orders (customer)');
    export const down = async (knex) => await knex.raw('drop index concurrently orders_customer_idx');
    export const config = { transaction: false };`,
  '04_notes.up.sql': 'create table notes (id bigint primary key);\ncomment on table notes is $$what people wrote$$;\n',
  '04_notes.down.sql': 'drop table notes;\n',
};

/** A database of the test's own, the four migrations (with what is given over them), and the options that lead to both. */
export async function makeProject(others: Readonly<Record<string, string | undefined>> = {}): Promise<{
  readonly database: TestDatabase;
  readonly directory: string;
  readonly options: Options;
}> {
  const database = await createDatabase();
  const kept = Object.entries({ ...files, ...others }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const directory = await makeDirectory(Object.fromEntries(kept));
  return { database, directory, options: { connection: database.url, migrations: directory, logger: false } };
}

/** The four migrations, and a database where they have run. */
export async function makeMigrated(): ReturnType<typeof makeProject> {
  const [database, directory] = [await copyMigrated(files), await makeDirectory(files)];
  return { database, directory, options: { connection: database.url, migrations: directory, logger: false } };
}

/** What stands in the database: the history, the tables and indexes that the migrations make, and whether knex's lock is free. */
export async function contentsOf(database: TestDatabase): Promise<Record<string, unknown>> {
  const [row] = await database.query(
    `select to_regclass('orders')::text as orders, to_regclass('notes')::text as notes, to_regclass('orders_customer_idx')::text as index,
       exists (select from pg_attribute where attrelid = to_regclass('orders') and attname = 'total' and not attisdropped) as total,
       (select json_agg(name order by id) from knex_migrations) as history, (select json_agg(is_locked) from knex_migrations_lock) as locks`,
  );
  return row as Record<string, unknown>;
}

/** All four applied. */
export const atHead = { orders: 'orders', notes: 'notes', index: 'orders_customer_idx', total: true, history: [...names], locks: [0] };
/** None. */
export const atBase = { orders: null, notes: null, index: null, total: false, history: null, locks: [0] };
