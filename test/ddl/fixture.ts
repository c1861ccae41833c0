import createKnex, { type Knex } from 'knex';
import { ensureMigrated, type Options, type Outcome } from '../../src/index.js';
import { afterFile } from '../support/cleanup.js';
import type { TestDatabase } from '../support/servers.js';

export type Body = (knex: Knex) => Promise<void>;

/** A knex of the application's own: a pool, nothing of ours between. */
export function knexOf({ url }: Pick<TestDatabase, 'url'>): Knex {
  const knex = createKnex({ client: 'pg', connection: url, pool: { min: 0, max: 2 } });
  afterFile(async () => await knex.destroy());
  return knex;
}

/** The statements that change something, as a body sends them; reads are left out. */
export async function changesOf(knex: Knex, body: Body): Promise<string[]> {
  const sent: string[] = [];
  const listen = ({ sql }: { readonly sql: string }): void => {
    if (!/^(select|explain)/.test(sql.trim())) sent.push(sql.replace(/ \/\* ensure-migrated: resumable \*\/$/, ''));
  };
  knex.on('query', listen);
  try {
    await body(knex);
  } finally {
    knex.off('query', listen);
  }
  return sent;
}

/** Boots on a database that has tables, with one migration that runs the body outside a transaction. */
export async function bootWith(database: TestDatabase, body: Body, options: Options = {}): Promise<Outcome> {
  const module = { up: body, down: async () => undefined, config: { transaction: false } };
  const migrations = { modules: { '01_change.js': module } };
  return await ensureMigrated({ connection: database.url, migrations, logger: false, rules: { 'history-unmanaged': 'off' }, ...options });
}

/** What a table looks like, as far as these tests care. */
export async function shapeOf(database: TestDatabase, table: string) {
  const indexes = await database.query(
    `select c.relname as name, indisvalid as valid, pg_get_indexdef(indexrelid) as definition from pg_index join pg_class c on c.oid = indexrelid
     where indrelid = $1::regclass and not indisprimary order by 1`,
    [table],
  );
  const constraints = await database.query(
    `select conname as name, convalidated as valid, pg_get_constraintdef(oid) as definition from pg_constraint
     where conrelid = $1::regclass and contype in ('c', 'f') order by 1`,
    [table],
  );
  const columns = await database.query(
    `select attname as name, attnotnull as required, pg_get_expr(adbin, adrelid) as default from pg_attribute
     left join pg_attrdef on adrelid = attrelid and adnum = attnum where attrelid = $1::regclass and attnum > 0 order by attnum`,
    [table],
  );
  return { indexes, constraints, columns };
}
