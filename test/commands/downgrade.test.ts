import { describe, expect, test } from 'vitest';
import { downgrade, history, status, upgrade, type Target } from '../../src/commands/index.js';
import { ensureMigrated, type Options } from '../../src/index.js';
import { poll, startBoot } from '../support/boot.js';
import { runKnex } from '../support/knex-cli.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { atBase, atHead, contentsOf, makeMigrated, makeProject, names } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

const yes = true;

describe('downgrade', () => {
  test.each<[string, Target, number]>([
    ['one step', { steps: 1 }, 3],
    ['three steps, one of them outside a transaction', { steps: 3 }, 1],
    ['a name, which stays applied', { to: names[1] }, 2],
    ['a part of a name', { to: 'orders' }, 1],
    ['base', 'base', 0],
  ])('takes back %s, newest first, and up again', async (_what, target, left) => {
    const { database, options } = await makeMigrated();
    const outcome = await downgrade(options, { target, yes });
    expectPrinted('downgrade', outcome);
    expect(outcome).toMatchObject({ status: 'migrated', from: names[3], to: names[left - 1], applied: [] });
    expect(outcome.reverted?.map(({ name }) => name)).toEqual([...names].reverse().slice(0, 4 - left));
    const expected = { orders: left > 0 ? 'orders' : null, total: left > 1, index: left > 2 ? 'orders_customer_idx' : null, notes: null };
    expect(await contentsOf(database)).toEqual({ ...atBase, ...expected, history: left === 0 ? null : names.slice(0, left) });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: { length: 4 - left }, findings: [] });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync', findings: [] });
  });

  test('goes by the order in which they ran, not by name', async () => {
    const { options } = await makeProject({ '02_total.js': undefined });
    await upgrade(options);
    const late = (await makeProject()).directory;
    await upgrade({ ...options, migrations: late });
    const outcome = await downgrade({ ...options, migrations: late }, { target: { steps: 1 }, yes });
    expect(outcome.reverted).toMatchObject([{ name: '02_total.js' }]);
  });

  test('is in the journal, and knex sees what is left', async () => {
    const { database, directory, options } = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    await upgrade(options);
    await downgrade(options, { target: { steps: 2 }, yes });
    const rows = await database.query(
      `select migration, detail ->> 'direction' as direction, detail ->> 'status' as status from knex_migrations_journal where kind = 'attempt' order by id desc limit 2`,
    );
    expect(rows).toEqual([
      { migration: names[1], direction: 'down', status: 'done' },
      { migration: names[2], direction: 'down', status: 'done' },
    ]);
    expect((await history(options)).map(({ name, status }) => [name, status])).toEqual([
      [names[0], 'applied'],
      [names[1], 'pending'],
      [names[2], 'pending'],
    ]);
    const { stdout } = await runKnex('migrate:list', { url: database.url, directory });
    expect(stdout).toMatch(/Found 1 Completed Migration[^]*01_orders\.js[^]*Found 2 Pending/);
    expect(await database.query('select name from knex_migrations')).toEqual([{ name: names[0] }]);
  });

  test.each<[string, Target, string]>([
    ['more steps than are applied', { steps: 5 }, 'asked for 5 steps, and there are 4 applied migrations'],
    ['head', 'head', 'a downgrade does not lead to head'],
    ['a name that is not applied', { to: 'nonsense' }, "'nonsense' names no migration"],
  ])('refuses %s, and changes nothing', async (_what, target, message) => {
    const { database, options } = await makeMigrated();
    await expect(downgrade(options, { target, yes })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining(message) as string,
    });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('refuses before the first one where a later one has no down', async () => {
    const up = `export const up = async (knex) => await knex.schema.alterTable('orders', (t) => t.integer('total'));`;
    const { database, options } = await makeProject({ '02_total.js': up });
    await upgrade(options);
    await expect(downgrade(options, { target: 'base', yes })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('cannot be taken back, since they have no down: 02_total.js') as string,
    });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('refuses what is not among the files, by name', async () => {
    const { database, options } = await makeMigrated();
    const older = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    await expect(downgrade({ ...options, migrations: older.directory }, { target: { steps: 1 }, yes })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('04_notes.up.sql') as string,
    });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('that has nothing to take back settles what a run that died has left, as a boot does', async () => {
    const { database, options } = await makeMigrated();
    await database.query('update knex_migrations_lock set is_locked = 1');
    await database.query(
      `update knex_migrations_journal set detail = detail || jsonb_build_object('state', 'active', 'flag', (select xmin::text from knex_migrations_lock)) where kind = 'owner'`,
    );
    expect(await status(options)).toMatchObject({ inSync: false });
    expect(await downgrade(options, { target: { to: names[3] }, yes })).toMatchObject({ status: 'in-sync', applied: [] });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await status(options)).toMatchObject({ inSync: true });
  });

  test('at base has nothing to take back', async () => {
    const { options } = await makeProject();
    expect(await downgrade(options, { target: 'base', yes })).toMatchObject({ status: 'in-sync', applied: [] });
  });

  test('a down that fails is rolled back with its history row; what was taken back before it stays so', async () => {
    const broken = `export const up = async (knex) => await knex.schema.alterTable('orders', (t) => t.integer('total').defaultTo(7));
      export const down = async (knex) => { await knex.schema.alterTable('orders', (t) => t.dropColumn('total')); await knex.raw('select 1/0'); };`;
    const { database, directory, options } = await makeProject({ '02_total.js': broken });
    await upgrade(options);
    const failing = downgrade(options, { target: 'base', yes });
    await expect(failing).rejects.toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      outcome: { status: 'failed', to: names[1], applied: [], reverted: [{ name: names[3] }, { name: names[2] }] },
      message: expect.stringContaining(
        `the down of migration 02_total.js failed at ${directory}/02_total.js:2: division by zero`,
      ) as string,
    });
    expect(await contentsOf(database)).toMatchObject({ history: names.slice(0, 2), total: true, index: null, notes: null, locks: [0] });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: names[2] }, { name: names[3] }] });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('a down outside a transaction that stops half-way is unfinished, and nothing runs until that is settled', async () => {
    const half = `export const config = { transaction: false };
      export const up = async (knex) => await knex.raw('create index concurrently orders_customer_idx on orders (customer)');
      export const down = async (knex) => { await knex.raw('alter table orders add column half int'); await knex.raw('select 1/0'); };`;
    const { database, options } = await makeProject({ '03_index.js': half });
    await upgrade(options);
    await expect(downgrade(options, { target: { steps: 2 }, yes })).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await contentsOf(database)).toMatchObject({ history: names.slice(0, 3), locks: [0] });
    const unfinished = { code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] };
    await expect(ensureMigrated(options)).rejects.toMatchObject(unfinished);
    await expect(downgrade(options, { target: { steps: 1 }, yes })).rejects.toMatchObject(unfinished);
    expect(await contentsOf(database)).toMatchObject({ history: names.slice(0, 3), locks: [0] });
  });
});

describe('a downgrade tells what it destroys', () => {
  const losses = [
    { code: 'downgrade-loss', message: 'the down of 02_total.js destroys column "public"."orders"."total" with 2 rows' },
    { code: 'downgrade-loss', message: 'the down of 01_orders.js destroys table "public"."orders" with 2 rows' },
  ];

  test('before it asks, and in its outcome', async () => {
    const { database, options } = await makeMigrated();
    const asked: unknown[] = [];
    const confirm = async (question: unknown) => await Promise.resolve(Boolean(asked.push(question)));
    const outcome = await downgrade({ ...options, environment: 'production' }, { target: 'base', confirm });
    expect(asked).toMatchObject([{ losses }]);
    expect(outcome).toMatchObject({ reverted: { length: 4 }, findings: losses });
    expect(await contentsOf(database)).toEqual(atBase);
  });

  test('and says so when it cannot be told, without having run it', async () => {
    const down = `await knex.raw("do $$ begin execute 'drop table orders'; end $$"); if (await knex('orders').first()) throw new Error('unlike');`;
    const { options } = await makeProject({
      '02_total.js': `export const up = async () => undefined; export const down = async (knex) => {${down}}; export const config = { capture: false };`,
    });
    await upgrade(options, { target: { steps: 2 } });
    const confirm = async () => await Promise.resolve(false);
    const failing = downgrade({ ...options, environment: 'production' }, { target: { steps: 1 }, confirm });
    await expect(failing).rejects.toMatchObject({ code: 'EM_NOT_CONFIRMED' });
    expect(await history(options)).toMatchObject([
      { status: 'applied' },
      { status: 'applied' },
      { status: 'pending' },
      { status: 'pending' },
    ]);
  });
});

describe('a downgrade is confirmed', () => {
  const environment = 'production'; // here it is `test`, where nobody is asked
  test('by a person, who is told what would be taken back', async () => {
    const { database, options } = await makeMigrated();
    const asked: unknown[] = [];
    const confirm = (answer: boolean) => async (question: unknown) => {
      asked.push(question);
      return await Promise.resolve(answer);
    };
    await expect(downgrade({ ...options, environment }, { target: { steps: 2 }, confirm: confirm(false) })).rejects.toMatchObject({
      code: 'EM_NOT_CONFIRMED',
    });
    expect(await contentsOf(database)).toEqual(atHead);
    await downgrade({ ...options, environment }, { target: { steps: 2 }, confirm: confirm(true) });
    expect(asked).toMatchObject([1, 2].map(() => ({ database: database.name, undone: [names[3], names[2]], losses: [] })));
  });

  test('or by nobody: then it is refused, unless the environment is test', async () => {
    const { database, options } = await makeMigrated();
    await expect(downgrade({ ...options, environment }, { target: { steps: 1 } })).rejects.toMatchObject({
      code: 'EM_NOT_CONFIRMED',
      message: expect.stringContaining(names[3]) as string,
    });
    expect(await contentsOf(database)).toEqual(atHead);
    await expect(downgrade({ ...options, environment: 'test' }, { target: { steps: 1 } })).resolves.toMatchObject({ to: names[2] });
  });

  test('and refused when the history changes while the question is open', async () => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { steps: 3 } });
    const confirm = async () => {
      await upgrade(options);
      return true;
    };
    await expect(downgrade({ ...options, environment }, { target: { steps: 1 }, confirm })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('has changed since') as string,
    });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync' });
  });

  test('and refused when knex changes the history under its lock; no run has failed then', async () => {
    const { database, options } = await makeMigrated();
    const remove = 'delete from knex_migrations where id = (select max(id) from knex_migrations)';
    const run = async () => {
      await database.query(remove);
      return [];
    };
    const checks = [{ name: 'intruder', run }];
    await expect(downgrade({ ...options, checks }, { target: { steps: 1 }, yes })).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
    const sql = `select detail ->> 'state' as state, (select is_locked from knex_migrations_lock) as locked from knex_migrations_journal where kind = 'owner'`;
    expect(await database.query(sql)).toEqual([{ state: 'clear', locked: 0 }]);
    expect(await contentsOf(database)).toMatchObject({ notes: 'notes', history: names.slice(0, 3) });
  });
});

test('a downgrade waits for a boot that holds the lock, and says so', async () => {
  const stall = `export const up = async (knex) => await knex.raw("select pg_sleep(case when '" + (process.env.STALL ?? '') + "' = '' then 0 else 300 end)");
    export const down = async () => undefined;`;
  const { database, directory, options } = await makeProject({ '05_slow.js': stall });
  await upgrade(options, { target: { steps: 4 } });
  const booting = startBoot({ connection: database.url, directory }, { STALL: 'yes' });
  await booting.waitForEvent('step.started');
  const events: string[] = [];
  const onProgress: Options['onProgress'] = ({ event }) => events.push(event);
  const waiting = downgrade({ ...options, onProgress }, { target: { to: names[2] }, yes });
  await poll(() => Promise.resolve(events.includes('lock.waiting') || undefined));
  expect(await contentsOf(database)).toMatchObject({ history: [...names] });
  await booting.kill();
  await expect(waiting).resolves.toMatchObject({ to: names[2], reverted: [{ name: names[3] }] });
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('a downgrade is one transaction, and one that cannot be is refused with directConnection as the way out', async () => {
    const { database, options } = await makeMigrated();
    const pooler = await startPgBouncer(database.url);
    const pooled = { ...options, connection: pooler.urlOf(database.url) };
    expect(await downgrade(pooled, { target: { steps: 1 }, yes })).toMatchObject({ to: names[2], reverted: [{ name: names[3] }] });
    await expect(downgrade(pooled, { target: { steps: 1 }, yes })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      remedy: expect.stringContaining('directConnection') as string,
    });
    expect(await contentsOf(database)).toEqual({ ...atHead, notes: null, history: names.slice(0, 3) });
    expect(await downgrade({ ...pooled, directConnection: database.url }, { target: 'base', yes })).toMatchObject({ to: undefined });
    await pooler.stop(); // it keeps its connections to the server
    expect(await contentsOf(database)).toEqual(atBase);
  });
});
