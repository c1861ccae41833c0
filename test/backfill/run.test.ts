import { beforeAll, describe, expect, test } from 'vitest';
import { backfill } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { enqueueOn } from './fixture.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});

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
    const { options, counted } = await enqueueOn(database, { columns, rows, definition: () => ({ batchSize: 37, targetMs: 20 }) });
    const [progress] = await backfill.run(options);
    expect(progress).toMatchObject({ status: 'done', seenCount: 5000, changedCount: 5000 });
    expect(await counted()).toEqual([{ v: 1, n: 5000 }]);
  });
  test('has each row changed once by four workers on four ranges, by code', async () => {
    const apply = (found: readonly Readonly<Record<string, unknown>>[]) => found.map((row) => ({ ...row, v: Number(row['v']) + 1 }));
    const { options, table, counted } = await enqueueOn(database, {
      columns,
      rows,
      definition: () => ({ parallel: 4, batchSize: 100, apply }),
    });
    await database.query(`analyze ${table}`);
    const [[progress]] = (await Promise.all([1, 2, 3, 4].map(() => backfill.run(options)))) as [[unknown]];
    expect(progress).toMatchObject({ status: 'done', rangeCount: 4, seenCount: 5000, changedCount: 5000, estimatedCount: 5000 });
    expect(await counted()).toEqual([{ v: 1, n: 5000 }]);
  });
});

test('where nobody has enqueued anything there is nothing to do', async () => {
  const options = {
    connection: database.url,
    logger: false as const,
    migrations: { modules: { 'a.js': { up: () => undefined } }, tableName: 'none' },
  };
  expect(await backfill.list(options)).toEqual([]);
  expect(await backfill.run(options)).toEqual([]);
});

test.each(['cursor', 'control'])('a table of backfills without its column %s is refused before anything is changed', async (column) => {
  const { options, counted } = await enqueueOn(database, { rows: 'select i from generate_series(1, 10) i' });
  const { tableName } = options.migrations as { tableName: string };
  await database.query(`alter table ${tableName}_backfills drop column ${column}`);
  for (const verb of [backfill.list, backfill.run, backfill.pause, backfill.retry]) {
    await expect(verb(options)).rejects.toMatchObject({ code: 'EM_HISTORY_INVALID' });
  }
  expect(await counted()).toEqual([{ v: 0, n: 10 }]);
});
