import { describe, expect, test } from 'vitest';
import { backfill, ensureMigrated, type ProgressEvent } from '../../src/index.js';
import { downgrade, preflight, script, status, upgrade } from '../../src/commands/index.js';
import { poll } from '../support/boot.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { startProxy } from '../support/proxy.js';
import { runPsql } from '../support/psql.js';
import { changesIn, eachOnce, enqueuing, historyOf, makeOrders, optionsFor, rowCount, startService, stateOf } from './orders.js';

const sources = { '01_enqueue.js': enqueuing() };
const failing = { '01_enqueue.js': enqueuing(`{ table: 'orders', set: 'v = v + 1', verify: 'select 7' }`) };

async function untilDone(database: Awaited<ReturnType<typeof makeOrders>>): Promise<void> {
  await poll(async () => (await stateOf(database))?.['status'] === 'done' || undefined);
}

describe('a boot in the background mode, which is the default', () => {
  test('is ready at once, and its process goes on until each row is changed once', async () => {
    const database = await makeOrders();
    const outcome = await ensureMigrated(await optionsFor(database, sources));
    expect(outcome).toMatchObject({ status: 'migrated', backfills: [{ name: 'orders_v', status: 'queued', seenCount: 0 }] });
    await untilDone(database);
    expect(await changesIn(database)).toEqual(eachOnce());
    const again = await ensureMigrated(await optionsFor(database, sources));
    expect(again).not.toHaveProperty('backfills');
  });

  test('twice in one process is two workers that take turns, as those of two processes do, and both end', async () => {
    const database = await makeOrders();
    const options = await optionsFor(database, sources);
    await Promise.all([ensureMigrated(options), ensureMigrated(options)]);
    const workers = async () =>
      await database.query(`select from pg_stat_activity where datname = current_database() and application_name like 'ensure-migrated/%'`);
    await poll(async () => (await workers()).length === 2 || undefined);
    await untilDone(database);
    expect(await changesIn(database)).toEqual(eachOnce());
    await poll(async () => (await workers()).length === 0 || undefined);
  });

  test('ends its work with SIGTERM in the middle, and the next boot goes on where it was', async () => {
    const database = await makeOrders();
    const service = startService(database, sources);
    await service.waitForEvent('service.ready');
    await service.waitForEvent('backfill.moved');
    service.signal('SIGTERM');
    expect(await service.ended).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(service.events().map(({ event }) => event)).toContain('backfill.worker-stopped');
    const [state, changes] = [await stateOf(database), await changesIn(database)];
    expect(state).toMatchObject({ status: 'running' });
    expect(state?.['done']).toBeLessThan(rowCount);
    expect(changes).toContainEqual({ v: 1, n: state?.['done'] });
    await ensureMigrated(await optionsFor(database, sources));
    await untilDone(database);
    expect(await changesIn(database)).toEqual(eachOnce());
  });

  test('ends its work when `signal` is aborted', async () => {
    const database = await makeOrders();
    const controller = new AbortController();
    const events: ProgressEvent[] = [];
    await ensureMigrated(await optionsFor(database, sources, { signal: controller.signal, onProgress: (event) => events.push(event) }));
    await poll(async () => (((await stateOf(database))?.['done'] as number) > 0 ? true : undefined));
    controller.abort();
    await poll(async () => await Promise.resolve(events.some(({ event }) => event === 'backfill.worker-stopped') || undefined));
    const [state] = [await stateOf(database)];
    expect(state).toMatchObject({ status: 'running' });
    expect(await changesIn(database)).toContainEqual({ v: 1, n: state?.['done'] });
  });

  test('does not keep a process alive that has nothing else to do', async () => {
    const database = await makeOrders();
    const service = startService(database, sources, { stays: false });
    expect(await service.ended).toMatchObject({ code: 0 });
    expect((await stateOf(database))?.['status']).not.toBe('done');
    await ensureMigrated(await optionsFor(database, sources, { backfills: 'blocking' }));
    expect(await changesIn(database)).toEqual(eachOnce());
  });

  test('connects again when its session is lost', async () => {
    const database = await makeOrders();
    const events: string[] = [];
    const options = await optionsFor(database, sources, { onProgress: ({ event }) => events.push(event) });
    await ensureMigrated(options);
    await poll(async () => (((await stateOf(database))?.['done'] as number) > 0 ? true : undefined));
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'ensure-migrated/%'`,
    );
    await untilDone(database);
    expect(events).toContain('backfill.reconnecting');
    expect(await changesIn(database)).toEqual(eachOnce());
  });

  test('goes on when what had stopped is let go on from elsewhere', async () => {
    const database = await makeOrders(100);
    const events: string[] = [];
    const options = await optionsFor(database, sources, { onProgress: ({ event }) => events.push(event) });
    await ensureMigrated({ ...options, backfills: 'manual' });
    await database.query(`update knex_migrations_backfills set status = 'paused'`);
    const outcome = await ensureMigrated(options);
    expect(outcome.backfills).toMatchObject([{ status: 'paused' }]);
    await poll(async () => await Promise.resolve(events.includes('backfill.idle') || undefined));
    await database.query(`update knex_migrations_backfills set status = 'queued'`);
    await untilDone(database);
    expect(await changesIn(database)).toEqual(eachOnce(100));
  });

  test('leaves alone, with a finding, what has changed since it was enqueued', async () => {
    const database = await makeOrders(100);
    await ensureMigrated(await optionsFor(database, sources, { backfills: 'manual' }));
    const changed = { '01_enqueue.js': enqueuing(`{ table: 'orders', set: 'v = v + 2' }`) };
    const events: string[] = [];
    const onProgress = ({ event }: ProgressEvent) => events.push(event);
    const outcome = await ensureMigrated(await optionsFor(database, changed, { onProgress }));
    expect(outcome.findings).toMatchObject([{ code: 'backfill-changed', level: 'warn', at: { migration: '01_enqueue.js' } }]);
    await poll(async () => await Promise.resolve(events.includes('backfill.refused') || undefined));
    expect(await stateOf(database)).toMatchObject({ status: 'queued' });
    const refused = await optionsFor(database, changed, { rules: { 'backfill-changed': 'error', 'history-edited': 'off' } });
    await expect(ensureMigrated(refused)).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED' });
    expect(await changesIn(database)).toEqual([{ v: 0, n: 100 }]);
  });

  test('of an older release leaves alone what it has no code for', async () => {
    const database = await makeOrders(100);
    const old = { '00_old.js': '{ up: async () => undefined, down: async () => undefined }' };
    const byCode = enqueuing(`{ table: 'orders', apply: (rows) => rows.map((row) => ({ ...row, v: row.v + 1 })) }`);
    await ensureMigrated(await optionsFor(database, { ...old, '01_enqueue.js': byCode }, { backfills: 'manual' }));
    for (const backfills of ['background', 'blocking'] as const) {
      const outcome = await ensureMigrated(await optionsFor(database, old, { backfills }));
      expect(outcome).toMatchObject({ status: 'ahead', findings: [], backfills: [{ name: 'orders_v', status: 'queued' }] });
    }
    expect(await changesIn(database)).toEqual([{ v: 0, n: 100 }]);
    await ensureMigrated(await optionsFor(database, { ...old, '01_enqueue.js': byCode }, { backfills: 'blocking' }));
    expect(await changesIn(database)).toEqual(eachOnce(100));
  });
});

describeWithPgBouncer('through PgBouncer in transaction mode', () => {
  test('it works in the background', async () => {
    const database = await makeOrders();
    const pooler = await startPgBouncer(database.url, { settings: { default_pool_size: 2 } });
    const through = { url: pooler.urlOf(database.url) };
    await ensureMigrated(await optionsFor(through, sources));
    await untilDone(database);
    expect(await changesIn(database)).toEqual(eachOnce());
  });
});

describe('a blocking boot', () => {
  test('is ready when each row is changed once', async () => {
    const database = await makeOrders();
    const outcome = await ensureMigrated(await optionsFor(database, sources, { backfills: 'blocking' }));
    expect(outcome).toMatchObject({ status: 'migrated' });
    expect(outcome).not.toHaveProperty('backfills');
    expect(await changesIn(database)).toEqual(eachOnce());
  });

  test('does not become ready over one that has stopped, and says why; the lock is free', async () => {
    const database = await makeOrders(100);
    const options = await optionsFor(database, failing, { backfills: 'blocking' });
    const refusal = { code: 'EM_BACKFILL_UNFINISHED', exitCode: 78, message: expect.stringContaining('orders_v: unverified') as string };
    await expect(ensureMigrated(options)).rejects.toMatchObject(refusal);
    await expect(ensureMigrated(options)).rejects.toMatchObject(refusal);
    expect(await historyOf(database)).toEqual(['01_enqueue.js']);
    expect(await stateOf(database)).toMatchObject({ status: 'unverified' });
    expect(
      await database.query(
        `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([]);
  });
});

describe('who does not work on them', () => {
  test('is told of what is not done: the manual mode, the verbs, and the modes that only look', async () => {
    const database = await makeOrders(100);
    const options = await optionsFor(database, sources);
    const told = [{ name: 'orders_v', status: 'queued', seenCount: 0 }];
    expect(await upgrade(options)).toMatchObject({ status: 'migrated', backfills: told });
    expect(await ensureMigrated({ ...options, backfills: 'manual' })).toMatchObject({ status: 'in-sync', backfills: told });
    for (const mode of ['wait', 'verify'] as const) expect(await ensureMigrated({ ...options, mode })).toMatchObject({ backfills: told });
    expect(await status(options)).toMatchObject({ inSync: true, backfills: told });
    expect(await preflight(options)).toMatchObject({ ok: true, backfills: told });
    expect(await changesIn(database)).toEqual([{ v: 0, n: 100 }]);
    expect(await upgrade({ ...options, backfills: 'blocking' })).not.toHaveProperty('backfills');
    expect(await changesIn(database)).toEqual(eachOnce(100));
  });

  test('pays one round trip more, once somebody has ever enqueued one', async () => {
    const database = await makeOrders(100);
    await ensureMigrated(await optionsFor(database, sources, { backfills: 'blocking' }));
    const proxy = await startProxy(database.url);
    await ensureMigrated(await optionsFor({ url: proxy.urlOf(database.url) }, sources));
    expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 2 });
  });

  test('reads the history without a right on the table of backfills', async () => {
    const database = await makeOrders(100);
    await ensureMigrated(await optionsFor(database, sources, { backfills: 'manual' }));
    const role = await database.createRole();
    await database.query(`grant select on knex_migrations, knex_migrations_journal to ${role.name}`);
    const outcome = await ensureMigrated(await optionsFor({ url: role.url }, sources, { mode: 'verify' }));
    expect(outcome).toMatchObject({ status: 'in-sync' });
  });
});

describe('taking the migration back', () => {
  const forgotten = async (database: Awaited<ReturnType<typeof makeOrders>>) => {
    expect(await database.query('select * from knex_migrations_backfills')).toEqual([]);
    expect(await database.query('select * from knex_migrations_aside')).toEqual([]);
  };

  test('forgets what it had enqueued, and applying it again begins anew', async () => {
    const database = await makeOrders(100);
    const options = await optionsFor(database, sources, { backfills: 'blocking' });
    await ensureMigrated(options);
    await database.query(`insert into knex_migrations_aside (name, key, error) values ('orders_v', '{1}', '{}')`);
    await downgrade(options, { target: 'base', yes: true });
    await forgotten(database);
    await ensureMigrated(options);
    expect(await changesIn(database)).toEqual([{ v: 2, n: 100 }]);
    expect(await backfill.list(options)).toMatchObject([{ status: 'done' }]);
  });

  test('by a script forgets it as well', async () => {
    const database = await makeOrders(100);
    const options = await optionsFor(database, sources, { backfills: 'blocking' });
    await ensureMigrated(options);
    const { sql } = await script(options, { range: 'head:base' });
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 0 });
    await forgotten(database);
    expect(await historyOf(database)).toEqual([]);
  });
});
