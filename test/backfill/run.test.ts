import { beforeAll, describe, expect, test } from 'vitest';
import type { Knex } from 'knex';
import { backfill, ensureMigrated, type Backfill } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});

let number = 0;

/** A table of so many rows with this key, and a migration that enqueues the backfill. */
async function enqueued(columns: string, rows: string, definition: (table: string) => Backfill) {
  const table = `t${++number}`;
  await database.query(`create table ${table} (${columns}, v int not null default 0, filler text)`);
  await database.query(`insert into ${table} ${rows}`);
  const name = `b${number}`;
  const migration = {
    backfills: { [name]: definition(table) },
    up: async (knex: Knex) => await backfill.enqueue(knex, name),
    down: () => undefined,
  };
  const options = {
    connection: database.url,
    logger: false as const,
    migrations: { modules: { [`${name}.js`]: migration }, tableName: `k${number}` },
    rules: { 'schema-drift': 'off' as const, 'history-unmanaged': 'off' as const },
  };
  await ensureMigrated(options);
  return {
    table,
    name,
    options,
    distinct: async () => await database.query(`select v, count(*)::int as n from ${table} group by v order by v`),
  };
}

describe.each([
  ['bigint', 'id bigint primary key', 'select i from generate_series(1, 5000) i'],
  ['uuid', 'id uuid primary key', 'select gen_random_uuid() from generate_series(1, 5000) i'],
  ['text', 'id text collate "C" primary key', 'select md5(i::text) from generate_series(1, 5000) i'],
  ['composite', 'a int, b text, primary key (b, a)', `select i, 'k' || i % 7 from generate_series(1, 5000) i`],
  [
    'timestamp',
    'at timestamptz primary key',
    `select '2020-01-01'::timestamptz + i * interval '1 second 1 microsecond' from generate_series(1, 5000) i`,
  ],
])('a key of type %s', (_type, columns, rows) => {
  test('has each row changed once', async () => {
    const { options, distinct } = await enqueued(columns, rows, (table) => ({ table, set: 'v = v + 1', batchSize: 37, targetMs: 20 }));
    const [progress] = await backfill.run(options);
    expect(progress).toMatchObject({ status: 'done', seenCount: 5000, changedCount: 5000 });
    expect(await distinct()).toEqual([{ v: 1, n: 5000 }]);
  });
  test('has each row changed once by four workers on four ranges, by code', async () => {
    const { options, distinct } = await enqueued(columns, rows, (table) => ({
      table,
      parallel: 4,
      batchSize: 100,
      apply: (found) => found.map((row) => ({ ...row, v: (row['v'] as number) + 1 })),
    }));
    const [[progress]] = (await Promise.all([1, 2, 3, 4].map(() => backfill.run(options)))) as [[unknown]];
    expect(progress).toMatchObject({ status: 'done', rangeCount: 4, seenCount: 5000, changedCount: 5000 });
    expect(await distinct()).toEqual([{ v: 1, n: 5000 }]);
  });
});
