import { describe, expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import { plan, preflight } from '../../src/commands/index.js';
import { holdersOf, poll } from '../support/boot.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import type { TestDatabase } from '../support/servers.js';
import { changesIn, eachOnce, enqueuing, historyOf, makeOrders, optionsFor, requiring, startService, stateOf } from './orders.js';

const before = { '01_enqueue.js': enqueuing() };
const between = { '02_between.js': `{ up: async (knex) => await knex.raw('create table between_them ()'), down: async () => undefined }` };
const gated = { ...before, ...between, '03_gated.js': requiring() };
const failing = { ...before, ...between, '03_gated.js': requiring(`{ backfills: ['orders_v'], onUnfinished: 'fail' }`) };

const all = ['01_enqueue.js', '02_between.js', '03_gated.js'];

/** A database where the first migration has run, and nobody has worked on what it has enqueued. */
async function makeEnqueued(rows?: number): Promise<TestDatabase> {
  const database = await makeOrders(rows);
  await ensureMigrated(await optionsFor(database, before, { backfills: 'manual' }));
  return database;
}

/** Refused before anything was changed. */
async function expectUntouched(database: TestDatabase, rows: number): Promise<void> {
  expect(await historyOf(database)).toEqual(['01_enqueue.js']);
  expect(await changesIn(database)).toEqual([{ v: 0, n: rows }]);
  expect(await database.query(`select to_regclass('between_them') as made`)).toEqual([{ made: null }]);
  expect(await holdersOf(database)).toEqual([]);
}

describe('a migration that requires a backfill', () => {
  test('begins when the rest of it is done, which its run does first, also in an empty database', async () => {
    const database = await makeOrders(300);
    const outcome = await ensureMigrated(await optionsFor(database, failing, { backfills: 'manual' }));
    expect(outcome).toMatchObject({ status: 'migrated', to: '03_gated.js' });
    expect(outcome).not.toHaveProperty('backfills');
    expect(await changesIn(database)).toEqual(eachOnce(300));
  });

  test('is not run beside others who work on it: each row is changed once', async () => {
    const database = await makeEnqueued();
    const background = await optionsFor(database, before);
    await ensureMigrated(background);
    await ensureMigrated(await optionsFor(database, gated));
    expect(await historyOf(database)).toEqual(all);
    expect(await changesIn(database)).toEqual(eachOnce());
  });

  test('does not let others give up who wait for the lock meanwhile', async () => {
    const database = await makeOrders(150);
    const slowly = `{ table: 'orders', batchSize: 50, targetMs: 3000, apply: async (rows) => {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return rows.map((row) => ({ ...row, v: row.v + 1 }));
    } }`;
    const sources = { ...gated, '01_enqueue.js': enqueuing(slowly) };
    await ensureMigrated(await optionsFor(database, { '01_enqueue.js': enqueuing(slowly) }, { backfills: 'manual' }));
    const holder = ensureMigrated(await optionsFor(database, sources, { backfills: 'manual' }));
    await poll(async () => (((await stateOf(database))?.['done'] as number) > 0 ? true : undefined));
    const waiter = ensureMigrated(await optionsFor(database, sources, { backfills: 'manual', timeouts: { lockMs: 1_000 } }));
    waiter.catch(() => undefined); // awaited below
    await expect(holder).resolves.toMatchObject({ status: 'migrated' });
    await expect(waiter).resolves.toMatchObject({ status: 'in-sync' });
    expect(await changesIn(database)).toEqual(eachOnce(150));
  });

  test("with onUnfinished: 'fail' is refused with the progress before anything is changed", async () => {
    const database = await makeEnqueued(100);
    await expect(ensureMigrated(await optionsFor(database, failing))).rejects.toMatchObject({
      code: 'EM_CHECK_FAILED',
      message: expect.stringContaining('queued, 0 rows seen') as string,
      findings: expect.arrayContaining([
        expect.objectContaining({ code: 'backfill-unfinished', level: 'error', at: { migration: '03_gated.js' } }),
      ]) as unknown,
    });
    await expectUntouched(database, 100);
  });

  test("with onUnfinished: 'fail', enqueued by the same run, stops that run before it; what ran before stays", async () => {
    const database = await makeOrders(100);
    const first = { '00_first.js': '{ up: async () => undefined, down: async () => undefined }' };
    await ensureMigrated(await optionsFor(database, first));
    const options = await optionsFor(database, { ...first, ...failing }, { backfills: 'manual' });
    await expect(ensureMigrated(options)).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED', outcome: { to: '02_between.js' } });
    expect(await historyOf(database)).toEqual(['00_first.js', '01_enqueue.js', '02_between.js']);
    await ensureMigrated({ ...options, backfills: 'blocking' });
    expect(await historyOf(database)).toEqual(['00_first.js', ...all]);
    expect(await changesIn(database)).toEqual(eachOnce(100));
  });

  test('that nobody has enqueued is refused before anything is changed', async () => {
    const database = await makeOrders(100);
    const sources = { '03_gated.js': requiring(`{ backfills: ['orders_vv'] }`) };
    await expect(ensureMigrated(await optionsFor(database, sources))).rejects.toMatchObject({
      code: 'EM_CHECK_FAILED',
      findings: expect.arrayContaining([expect.objectContaining({ code: 'backfill-unknown' })]) as unknown,
    });
    expect(await database.query(`select to_regclass('knex_migrations') as made`)).toEqual([{ made: null }]);
    const later = { ...before, '03_gated.js': requiring(`{ backfills: ['orders_vv'] }`) };
    await expect(ensureMigrated(await optionsFor(database, later, { backfills: 'manual' }))).rejects.toMatchObject({
      code: 'EM_BACKFILL_UNFINISHED',
      message: expect.stringContaining('orders_vv: nobody has enqueued it') as string,
    });
    expect(await historyOf(database)).toEqual(['01_enqueue.js']);
  });

  test('that has stopped is refused; when it stops at the gate, what ran before stays, and the next boot goes on', async () => {
    const database = await makeOrders(300);
    const constrained = `alter table orders add constraint few check (id <> 200 or v = 0)`;
    await database.query(constrained);
    const options = await optionsFor(database, gated, { backfills: 'manual' });
    await expect(ensureMigrated(options)).rejects.toMatchObject({
      code: 'EM_BACKFILL_UNFINISHED',
      message: expect.stringContaining('orders_v: failed') as string,
    });
    expect(await historyOf(database)).toEqual(['01_enqueue.js', '02_between.js']);
    expect(await stateOf(database)).toMatchObject({ status: 'failed', error: { code: '23514', key: ['200'] } });
    await expect(ensureMigrated(options)).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    for (const status of ['paused', 'cancelled', 'unverified']) {
      await database.query('update knex_migrations_backfills set status = $1', [status]);
      await expect(ensureMigrated(options)).rejects.toMatchObject({
        code: 'EM_CHECK_FAILED',
        message: expect.stringContaining(`which has stopped: ${status}`) as string,
      });
    }
    await database.query('alter table orders drop constraint few');
    await database.query(`update knex_migrations_backfills set status = 'running', error = null`);
    await expect(ensureMigrated(options)).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '03_gated.js' }] });
    expect(await changesIn(database)).toEqual(eachOnce(300));
    expect(await holdersOf(database)).toEqual([]);
  });

  test('survives kill -9 of the process that does the rest: the next boot heals, each row is changed once', async () => {
    const database = await makeEnqueued();
    const killed = startService(database, gated, { kill: 5, backfills: 'manual' });
    expect(await killed.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await historyOf(database)).toEqual(['01_enqueue.js', '02_between.js']);
    expect(await stateOf(database)).toMatchObject({ status: 'running' });
    await expect(ensureMigrated(await optionsFor(database, gated))).resolves.toMatchObject({ status: 'migrated' });
    expect(await historyOf(database)).toEqual(all);
    expect(await changesIn(database)).toEqual(eachOnce());
    expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });

  test('is let in when it is done, without a word, in one transaction with the others too', async () => {
    const database = await makeOrders(100);
    await ensureMigrated(await optionsFor(database, before, { backfills: 'blocking' }));
    const outcome = await ensureMigrated(await optionsFor(database, failing, { transaction: 'all' }));
    expect(outcome.findings.filter(({ code }) => code.startsWith('backfill'))).toEqual([]);
    expect(await historyOf(database)).toEqual(all);
  });

  test("is refused with transaction: 'all', where nothing can be done in between", async () => {
    const database = await makeEnqueued(100);
    await expect(ensureMigrated(await optionsFor(database, gated, { transaction: 'all' }))).rejects.toMatchObject({
      code: 'EM_CHECK_FAILED',
      message: expect.stringContaining("transaction: 'each'") as string,
    });
    await expectUntouched(database, 100);
  });

  test('is foretold by plan and preflight, which do nothing', async () => {
    const database = await makeEnqueued(100);
    const [open, closed] = [await optionsFor(database, gated), await optionsFor(database, failing)];
    const told = { code: 'backfill-unfinished', at: { migration: '03_gated.js' } };
    expect((await plan(open)).findings).toContainEqual(expect.objectContaining({ ...told, level: 'info' }));
    expect(await preflight(open)).toMatchObject({ ok: true });
    expect((await plan(closed)).findings).toContainEqual(expect.objectContaining({ ...told, level: 'error' }));
    expect(await preflight(closed)).toMatchObject({ ok: false, backfills: [{ name: 'orders_v', status: 'queued' }] });
    await expectUntouched(database, 100);
  });
});

describeWithPgBouncer('through PgBouncer in transaction mode', () => {
  test('it is refused while it is not done, and let in when it is', async () => {
    const database = await makeEnqueued(100);
    const pooler = await startPgBouncer(database.url);
    const through = await optionsFor({ url: pooler.urlOf(database.url) }, gated);
    await expect(ensureMigrated(through)).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    await expectUntouched(database, 100);
    await ensureMigrated(await optionsFor(database, before, { backfills: 'blocking' }));
    await expect(ensureMigrated(through)).resolves.toMatchObject({ status: 'migrated', to: '03_gated.js' });
    expect(await changesIn(database)).toEqual(eachOnce(100));
  });
});
