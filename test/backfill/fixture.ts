import type { Knex } from 'knex';
import { backfill, ensureMigrated, type Backfill, type Options } from '../../src/index.js';
import type { TestDatabase } from '../support/servers.js';

let number = 0;

export interface Enqueued {
  readonly table: string;
  readonly name: string;
  readonly options: Options;
  /** How many rows were changed how often. */
  counted(): Promise<Record<string, unknown>[]>;
}

export interface Wanted {
  readonly columns?: string;
  readonly rows?: string;
  readonly definition?: (table: string) => Partial<Backfill>;
  /** Is done with the table before anything is enqueued. */
  readonly before?: (table: string) => Promise<void>;
}

/** A table of so many rows, and a migration that has enqueued a backfill over it: by default `v = v + 1` over 1000 rows. */
export async function enqueueOn(database: TestDatabase, { columns, rows, definition, before }: Wanted = {}): Promise<Enqueued> {
  const table = `t${++number}`;
  await database.query(`create table ${table} (${columns ?? 'id bigint primary key'}, v int not null default 0, filler text)`);
  await database.query(`insert into ${table} ${rows ?? 'select i from generate_series(1, 1000) i'}`);
  await before?.(table);
  const name = `b${number}`;
  const given = definition?.(table) ?? {};
  const migration = {
    backfills: { [name]: { table, ...('apply' in given ? {} : { set: 'v = v + 1' }), ...given } },
    up: async (knex: Knex) => await backfill.enqueue(knex, name),
    down: () => undefined,
  };
  const options: Options = {
    connection: database.url,
    logger: false,
    migrations: { modules: { [`${name}.js`]: migration }, tableName: `k${number}` },
    backfills: 'manual',
    rules: { 'schema-drift': 'off', 'history-unmanaged': 'off' },
  };
  await ensureMigrated(options);
  const counted = async () => await database.query(`select v, count(*)::int as n from ${table} group by v order by v`);
  return { table, name, options, counted };
}
