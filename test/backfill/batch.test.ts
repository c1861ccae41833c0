import { beforeAll, describe, expect, test } from 'vitest';
import { backfill, type Backfill, type Options } from '../../src/index.js';
import { poll } from '../support/boot.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { enqueueOn, type Enqueued } from './fixture.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});

const run = async ({ options }: Enqueued, more: Options = {}) => (await backfill.run({ ...options, ...more }))[0];
const tableNameOf = ({ options }: Enqueued) => (options.migrations as { tableName: string }).tableName;

/** The URL of a role that owns the table and may write its state, with these settings. */
async function ownerOf(enqueued: Enqueued, settings: readonly string[]): Promise<string> {
  const { name, url } = await database.createRole();
  for (const setting of settings) await database.query(`alter role "${name}" set ${setting}`);
  await database.query(`grant all on all tables in schema public to "${name}"; alter table ${enqueued.table} owner to "${name}"`);
  return url;
}

test('a role that reads only by default, has short timeouts and writes values with fewer digits changes each row once', async () => {
  const enqueued = await enqueueOn(database, {
    columns: 'id float8, span interval, at timestamptz, primary key (id, span, at)',
    rows: `select 1 + i * 1e-15, i * interval '-1 day 01:00:00.5', '2026-01-01'::timestamptz + i * interval '1 us' from generate_series(1, 500) i`,
    definition: () => ({ batchSize: 7, targetMs: 5 }),
  });
  const connection = await ownerOf(enqueued, [
    'default_transaction_read_only = on',
    'statement_timeout = 500',
    'lock_timeout = 500',
    'extra_float_digits = -10',
    'intervalstyle = sql_standard',
    `datestyle = 'German, DMY'`,
    `timezone = 'America/St_Johns'`,
  ]);
  expect(await run(enqueued, { connection })).toMatchObject({ status: 'done', seenCount: 500, changedCount: 500 });
  expect(await enqueued.counted()).toEqual([{ v: 1, n: 500 }]);
});

test('a bad row is found by such a role, too, and set aside by its key', async () => {
  const enqueued = await enqueueOn(database, {
    columns: 'at date primary key, amount text',
    rows: `select '2026-01-01'::date + i, case i when 40 then 'secret' else i::text end from generate_series(1, 60) i`,
    definition: () => ({ set: 'v = amount::int * 0 + 1', onBadRow: 'set-aside' }),
  });
  const connection = await ownerOf(enqueued, ['default_transaction_read_only = on', `datestyle = 'German, DMY'`]);
  expect(await run(enqueued, { connection })).toMatchObject({ status: 'done', changedCount: 59, asideCount: 1 });
  const aside = await database.query(`select key, error ->> 'code' as code, error::text as error from ${tableNameOf(enqueued)}_aside`);
  expect(aside).toMatchObject([{ key: ['2026-02-10'], code: '22P02' }]);
  expect(aside[0]?.['error']).not.toContain('secret');
});

test('a bad row that comes after twenty that were set aside stops it: then it is not the rows', async () => {
  const definition = () => ({ set: 'v = 1 / v', onBadRow: 'set-aside', batchSize: 1 }) as const;
  const enqueued = await enqueueOn(database, { rows: 'select i from generate_series(1, 30) i', definition });
  const error = { code: '22012', key: ['21'], message: expect.stringContaining(', as the 20 rows before it') as string };
  expect(await run(enqueued)).toMatchObject({ status: 'failed', seenCount: 20, changedCount: 0, asideCount: 20, error });
  expect(await enqueued.counted()).toEqual([{ v: 0, n: 30 }]);
});

test('a bad row stops the backfill before it, with its key; mended, the rest is done once', async () => {
  const enqueued = await enqueueOn(database, { definition: () => ({ batchSize: 300 }) });
  await database.query(`alter table ${enqueued.table} add constraint small check (v < 1 or id <> 777)`);
  expect(await run(enqueued)).toMatchObject({ status: 'failed', changedCount: 776, error: { code: '23514', key: ['777'] } });
  expect(await enqueued.counted()).toEqual([
    { v: 0, n: 224 },
    { v: 1, n: 776 },
  ]);
  await database.query(`alter table ${enqueued.table} drop constraint small`);
  await database.query(`update ${tableNameOf(enqueued)}_backfills set status = 'running', error = null`);
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 1000 });
  expect(await enqueued.counted()).toEqual([{ v: 1, n: 1000 }]);
});

test('how long the rest takes is told by the speed of the recent batches, while somebody is at work', async () => {
  const enqueued = await enqueueOn(database);
  await database.query(`alter table ${enqueued.table} add constraint small check (v < 1 or id <> 401); analyze ${enqueued.table}`);
  expect(await run(enqueued)).toMatchObject({ status: 'failed', seenCount: 400, rowsPerSecond: undefined, remainingMs: undefined });
  const atWork = async (worked: string) => {
    await database.query(
      `update ${tableNameOf(enqueued)}_backfills set status = 'running', rows_per_second = 100, worked_at = clock_timestamp() - interval '${worked}'`,
    );
    return (await backfill.list(enqueued.options))[0];
  };
  expect(await atWork('1 s')).toMatchObject({ estimatedCount: 1000, seenCount: 400, rowsPerSecond: 100, remainingMs: 6_000 });
  expect(await atWork('1 min')).toMatchObject({ estimatedCount: 1000, rowsPerSecond: undefined, remainingMs: undefined });
});

test('rows that a policy hides are not taken for done', async () => {
  const enqueued = await enqueueOn(database);
  await database.query(`alter table ${enqueued.table} enable row level security; alter table ${enqueued.table} force row level security`);
  await database.query(`create policy few on ${enqueued.table} using (id < 10)`);
  const connection = await ownerOf(enqueued, []);
  expect(await run(enqueued, { connection })).toMatchObject({ status: 'failed', error: { code: '42501' } });
  expect(await enqueued.counted()).toEqual([{ v: 0, n: 1000 }]);
});

test('a session that holds a row is waited for with ever smaller batches; when it lets go, each row is changed once', async () => {
  const enqueued = await enqueueOn(database, { definition: () => ({ targetMs: 50 }) });
  const holder = await database.connect();
  await holder.query(`begin; select from ${enqueued.table} where id = 500 for update`);
  const sizes: unknown[] = [];
  const onProgress: Options['onProgress'] = ({ event, size }) => void (event === 'backfill.retried' && sizes.push(size));
  const running = run(enqueued, { onProgress });
  await poll(() => Promise.resolve(sizes.length >= 3 ? true : undefined));
  await holder.query('rollback');
  expect(await running).toMatchObject({ status: 'done', changedCount: 1000 });
  expect(sizes.slice(0, 2)).toEqual([500, 250]);
  expect(await enqueued.counted()).toEqual([{ v: 1, n: 1000 }]);
});

test('somebody who holds the table when it begins does not stop it', async () => {
  const enqueued = await enqueueOn(database);
  const holder = await database.connect();
  await holder.query(`begin; lock table ${enqueued.table}`);
  let tell: (event: unknown) => void = () => undefined;
  const retried = new Promise((resolve) => (tell = resolve));
  const onProgress: Options['onProgress'] = ({ event }) => void (event === 'backfill.retried' && tell(event));
  const running = run(enqueued, { onProgress });
  await Promise.race([retried, running]);
  await holder.query('rollback');
  expect(await running).toMatchObject({ status: 'done', changedCount: 1000 });
});

test('rows that are added, deleted and changed meanwhile: those that were there and are there still are changed once', async () => {
  const enqueued = await enqueueOn(database, {
    rows: 'select i * 2 from generate_series(1, 3000) i',
    definition: () => ({ batchSize: 20, targetMs: 20 }),
  });
  const writer = await database.connect();
  const running = run(enqueued);
  let isDone = false;
  void running.finally(() => (isDone = true));
  for (let n = 0; !isDone; n++) {
    const id = 2 * (1 + Math.floor(Math.random() * 3000));
    await writer.query(`insert into ${enqueued.table} (id, v, filler) values (${id + 1}, 0, 'new') on conflict do nothing`);
    await writer.query(`delete from ${enqueued.table} where id = ${id + (n % 2 ? 2 : -2)} and id % 2 = 0`);
    await writer.query(`update ${enqueued.table} set filler = 'touched' where id = ${id}`);
  }
  expect(await running).toMatchObject({ status: 'done' });
  expect(await database.query(`select distinct v from ${enqueued.table} where id % 2 = 0`)).toEqual([{ v: 1 }]);
  expect(await database.query(`select from ${enqueued.table} where v > 1`)).toEqual([]);
});

test('two backfills take turns', async () => {
  const [one, two] = [await enqueueOn(database, { definition: () => ({ batchSize: 50, targetMs: 20 }) }), await enqueueOn(database)];
  const state = `${tableNameOf(one)}_backfills`;
  await database.query(
    `insert into ${state} (name, range, migration, definition, hash, search_path, status, batch_size)
     select name, range, migration, definition || '{"batchSize": 50, "targetMs": 20}', hash, search_path, status, 50 from ${tableNameOf(two)}_backfills`,
  );
  const order: unknown[] = [];
  const { modules } = one.options.migrations as { modules: object };
  const both = { modules: { ...modules, ...(two.options.migrations as { modules: object }).modules }, tableName: tableNameOf(one) };
  const log = `create table turns (at serial, name text); create function turn() returns trigger language plpgsql as
    $$ begin insert into turns (name) values (new.name); return new; end $$; create trigger turn after update on ${state} for each row execute function turn()`;
  await database.query(log);
  await backfill.run({ ...one.options, migrations: both as never });
  for (const { name } of await database.query('select name from turns order by at limit 10')) order.push(name);
  expect(order.filter((name) => name === one.name)).toHaveLength(5);
  expect([await one.counted(), await two.counted()]).toEqual([[{ v: 1, n: 1000 }], [{ v: 1, n: 1000 }]]);
});

describe('is refused when it is enqueued', () => {
  test.each<[string, string, Partial<Backfill>, string]>([
    ['a table without a key', 'id int', {}, 'no primary key'],
    ['a table from which others inherit', 'id int primary key', {}, 'tables inherit from'],
    ['a key that sorts otherwise', 'id int not null', { key: ['id', 'v'] }, 'sorts as the columns themselves do'],
    ['a key of another collation', 'id text collate "C" not null', { key: ['id'] }, 'sorts as the columns themselves do'],
    ['a WHERE in `set`', 'id int primary key', { set: 'v = 1 where id > 5' }, 'syntax error'],
  ])('%s', async (what, columns, definition, message) => {
    const prepare = async (table: string) => {
      if (what.includes('inherit')) await database.query(`create table ${table}_child () inherits (${table})`);
      if (what.includes('otherwise')) await database.query(`create unique index on ${table} (id, v desc)`);
      if (what.includes('collation')) await database.query(`create unique index on ${table} (id collate "POSIX")`);
    };
    let table = '';
    const enqueuing = enqueueOn(database, {
      columns,
      rows: '(id) values (1)',
      before: prepare,
      definition: (name) => ({ ...definition, table: (table = name) }),
    });
    await expect(enqueuing).rejects.toThrow(message);
    expect(await database.query(`select v from ${table}`)).toEqual([{ v: 0 }]);
  });
});

test('a table that is renamed half-way stops it, and the rows that were done are kept', async () => {
  const enqueued = await enqueueOn(database, { definition: () => ({ batchSize: 100, set: 'v = v + 1 / (id - 500)::int * 0 + 1' }) });
  expect(await run(enqueued)).toMatchObject({ status: 'failed', changedCount: 499, error: { code: '22012', key: ['500'] } });
  await database.query(
    `update ${tableNameOf(enqueued)}_backfills set status = 'running'; alter table ${enqueued.table} rename to ${enqueued.table}_old`,
  );
  expect(await run(enqueued)).toMatchObject({ status: 'failed', changedCount: 499, error: { code: '42P01' } });
});
