import { beforeAll, expect, test } from 'vitest';
import { backfill, type Options, type ProgressEvent } from '../../src/index.js';
import type { Embedded } from '../../src/embedded.js';
import { databaseAt, startServer, startStandby, type TestDatabase } from '../support/servers.js';
import { enqueueOn, type Enqueued } from './fixture.js';

let database: TestDatabase;
let standby: Embedded;
beforeAll(async () => {
  // What it looks at is of the whole server: this file needs one of its own.
  const server = await startServer({ settings: { autovacuum: 'on', autovacuum_naptime: '1s' } });
  standby = await startStandby(server);
  database = await server.createDatabase();
});

/** Begins to work, and waits until it is told for what it waits. */
async function heldUp({ options }: Enqueued, throttle: Options['throttle']) {
  let tell: (reason: unknown) => void = () => undefined;
  const reason = new Promise<unknown>((resolve) => (tell = resolve));
  const onProgress = ({ event, reason }: ProgressEvent) => (event === 'backfill.waiting' ? tell(reason) : undefined);
  const running = backfill.run({ ...options, throttle, onProgress });
  return { reason: await Promise.race([reason, running]), running };
}

async function waiters(count: number) {
  await database.query('create table if not exists wanted ()');
  const holder = await database.connect();
  await holder.query('begin; lock table wanted');
  const clients = await Promise.all(Array.from({ length: count }, () => database.connect()));
  const waiting = clients.map((client) => client.query('select from wanted').catch(() => undefined));
  const waitingCount = async () => (await database.query('select count(*)::int as n from pg_locks where not granted'))[0]?.['n'] as number;
  const until = async (wanted: number) => {
    while ((await waitingCount()) !== wanted) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await until(count);
  return {
    release: async () => {
      await holder.query('rollback');
      await Promise.all(waiting);
    },
    cancelOne: async () => {
      await database.query('select pg_cancel_backend(pid) from pg_locks where not granted limit 1');
      await until(count - 1);
    },
  };
}

test('a queue for locks is waited for, until it is half as long as it may be', async () => {
  const enqueued = await enqueueOn(database);
  const queue = await waiters(3);
  const { reason, running } = await heldUp(enqueued, { waitingLocksCount: 2 });
  expect(reason).toBe('sessions that wait for a lock: 3');
  await queue.cancelOne(); // two may wait
  expect(await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2_500, 'waits'))])).toBe('waits');
  expect(await enqueued.counted()).toEqual([{ v: 0, n: 1000 }]);
  await queue.release();
  expect(await running).toMatchObject([{ status: 'done' }]);
});

test('with `throttle: false` nothing is waited for', async () => {
  const enqueued = await enqueueOn(database);
  const queue = await waiters(21);
  expect(await backfill.run({ ...enqueued.options, throttle: false })).toMatchObject([{ status: 'done' }]);
  await queue.release();
});

test.each([{ replicaLagBytes: 1_000 }, { replicaLagMs: 300 }])('a replica that is behind is waited for: %o', async (limit) => {
  const enqueued = await enqueueOn(database);
  const replica = databaseAt(standby.url);
  await replica.query('select pg_wal_replay_pause()');
  await database.query(`insert into ${enqueued.table} select i from generate_series(2000, 2100) i`);
  const behind = `select from pg_stat_replication where replay_lsn < sent_lsn and replay_lag > interval '0.4 s'`;
  while ((await database.query(behind)).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const { reason, running } = await heldUp(enqueued, limit);
  expect(reason).toMatch(/^the slowest replica is behind by (ms|bytes): \d+/);
  await replica.query('select pg_wal_replay_resume()');
  expect(await running).toMatchObject([{ status: 'done', changedCount: 1101 }]);
});

test('WAL that is kept for a slot is waited for', async () => {
  const enqueued = await enqueueOn(database);
  await database.query(`select pg_create_physical_replication_slot('kept', true)`);
  await database.query(`create table wal as select repeat('x', 1000) from generate_series(1, 3000)`);
  const { reason, running } = await heldUp(enqueued, { slotBacklogBytes: 2 ** 20 });
  expect(reason).toMatch(/^WAL kept for a replication slot, in bytes: \d{7}/);
  await database.query(`select pg_drop_replication_slot('kept')`);
  expect(await running).toMatchObject([{ status: 'done' }]);
});

test('autovacuum on the table is waited for', async () => {
  const enqueued = await enqueueOn(database, { rows: `select i, 0, repeat('x', 500) from generate_series(1, 5000) i` });
  const { table } = enqueued;
  // As somebody leaves it who has begun.
  await database.query(`update k${table.slice(1)}_backfills set status = 'running', relation = 'public.${table}', started_at = now(),
    key = '[{"name": "id", "type": "bigint"}]', upper = '{5000}'`);
  await database.query(`alter table ${table} set (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`);
  await database.query(`delete from ${table} where id % 2 = 0; select pg_stat_force_next_flush()`);
  const vacuumed = async () =>
    await database.query(`select p.pid from pg_stat_progress_vacuum p where relid = 'public.${table}'::regclass`);
  while ((await vacuumed()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const { reason, running } = await heldUp(enqueued, { autovacuum: true });
  expect(reason).toBe(`autovacuum is at work on public.${table}`);
  await database.query(`alter table ${table} set (autovacuum_enabled = false)`); // cancels it
  expect(await running).toMatchObject([{ status: 'done', changedCount: 2500 }]);
});

test("the user's own function is asked, and what it throws is a reason to wait", async () => {
  const enqueued = await enqueueOn(database);
  const answers: (() => string | boolean)[] = [
    () => {
      throw new Error('no answer');
    },
    () => 'peak hour',
  ];
  const told: unknown[] = [];
  const onProgress = ({ event, reason }: ProgressEvent) => void (event === 'backfill.waiting' && told.push(reason));
  await backfill.run({ ...enqueued.options, onProgress, throttle: { check: () => answers.shift()?.() ?? false } });
  expect(told).toEqual(['throttle.check failed: no answer', 'peak hour']);
});

test('batches take no more than their share of the time', async () => {
  const enqueued = await enqueueOn(database, { definition: () => ({ batchSize: 50, targetMs: 5 }) });
  let workedMs = 0;
  const onProgress = ({ event, ms }: ProgressEvent) => void (event === 'backfill.moved' && (workedMs += ms as number));
  const started = performance.now();
  await backfill.run({ ...enqueued.options, onProgress, throttle: { duty: 0.1 } });
  expect(performance.now() - started).toBeGreaterThan(workedMs * 9);
});
