import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { poll } from '../support/boot.js';
import { makeScene, untouched, type Hostile, type Scene } from '../support/scene.js';

const code = (...statements: readonly string[]) => statements.map((sql) => `await knex.raw(${JSON.stringify(sql)});`).join('\n');

/** A scene whose first migration is applied, and a role that owns it. */
async function makeOwned(hostile: Hostile, attributes: string): Promise<{ scene: Scene; connection: string }> {
  const scene = await makeScene(hostile);
  const role = await scene.database.createRole(attributes);
  await scene.database.query(`grant all on schema public to ${role.name}`);
  const first = (await import(`${scene.directory}/0001_before.js`)) as object;
  await scene.boot({ connection: role.url, migrations: { modules: { '0001_before.js': first } } });
  return { scene, connection: role.url };
}

async function openClient(scene: Scene, application: string): Promise<{ client: pg.Client; pid: number }> {
  const client = await scene.database.connect();
  await client.query(`set application_name = '${application}'`);
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return { client, pid: rows[0]!.pid };
}

test('a deadlock that is there at each try is reported with the session behind it, and with what the server said of it', async () => {
  const body = code('alter table patients add column phone text', 'lock table gate');
  // One connection: nobody watches, so that each try ends with the deadlock and not with a cancel.
  const { scene, connection } = await makeOwned({ body }, 'connection limit 1');
  await scene.database.query('create table gate (); grant all on gate to public');
  await scene.database.query(`alter database ${scene.database.name} set deadlock_timeout = '1ms'`); // we are the victim
  const { client, pid } = await openClient(scene, 'nightly report');
  await client.query(`set deadlock_timeout = '1h'; begin; lock table gate`);
  let ended = false;
  const failing = scene.fail({ connection, timeouts: { callMs: 400 } }).finally(() => (ended = true));
  while (!ended) await client.query('savepoint s; lock table patients; rollback to s');
  const error = await failing;
  expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true, exitCode: 75 });
  const said = `the server said: Process \\d+ waits for .*blocked by process ${pid}\\.`;
  expect(error.message).toMatch(new RegExp(`blocked by a deadlock with pid ${pid} \\([^)]*nightly report[^)]*\\); ${said}`));
  expect(scene.events).toContainEqual(expect.objectContaining({ event: 'step.retried', tries: 1 }));
  await client.query('rollback');
  expect(await scene.aftermath()).toMatchObject({ ...untouched, tables: ['gate', 'log', 'patients'] });
  await scene.heal({ connection });
});

describe('a transaction that a migration outside a transaction has opened', () => {
  const waits = 'alter table patients add column phone text';
  const ways: [string, string][] = [
    ['by hand', code('begin', 'create table stray (id int)', waits, 'commit')],
    [
      'with knex.transaction()',
      `await knex.transaction(async (trx) => { await trx.raw('create table stray (id int)'); await trx.raw('${waits}'); });`,
    ],
  ];
  const outside = (up: string): Hostile => ({
    text: `export const config = { transaction: false };\nexport async function up(knex) { ${up} }`,
  });

  /** The first migration is applied, and a report reads the table that the next one wants. */
  async function blocked(hostile: Hostile) {
    const { scene, connection } = await makeOwned(hostile, '');
    const { client: report, pid } = await openClient(scene, 'nightly report');
    await report.query('begin; select from patients');
    return { scene, connection, report, pid };
  }

  /** A reader that queues behind us until the watch has taken us back. */
  async function queue(scene: Scene): Promise<void> {
    await poll(
      async () =>
        (
          await scene.database.query(
            `select from pg_locks where relation = 'patients'::regclass and mode <> 'AccessShareLock' and not granted`,
          )
        )[0],
    );
    await scene.database.query('select from patients');
  }

  test.each(ways)('%s, and that is in the way of others, is rolled back and the migration run again', async (_how, up) => {
    const { scene, connection, report } = await blocked(outside(up));
    const booting = scene.boot({ connection, timeouts: { harmMs: 50 } });
    await queue(scene);
    await poll(() => Promise.resolve(scene.events.find(({ event }) => event === 'step.retried')));
    await report.query('commit');
    const { applied } = await booting;
    expect(applied).toMatchObject([{ name: '0002_hostile.js' }, { name: '0003_after.js' }]);
    expect(applied[0]!.tries).toBeGreaterThan(1);
    expect(await scene.aftermath()).toMatchObject({
      log: ['0001', '0003'],
      tables: ['log', 'patients', 'stray'],
      isLocked: [0],
      attempt: { status: 'done' },
    });
    expect(await scene.boot({ connection })).toMatchObject({ status: 'in-sync' });
  });

  test.each(ways)(
    '%s, and that is blocked until the patience is used up, is reported with the blockers, and nothing of it is there',
    async (_how, up) => {
      const { scene, connection, report, pid } = await blocked(outside(up));
      const error = await scene.fail({ connection, timeouts: { callMs: 400 } });
      expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true, exitCode: 75 });
      expect(error.message).toMatch(
        new RegExp(`0002_hostile\\.js: could not get its table locks .*; blocked by pid ${pid} \\(.*nightly report`),
      );
      await report.query('commit');
      expect(await scene.aftermath()).toMatchObject({
        ...untouched,
        owner: { state: 'failed', errorCode: 'EM_BLOCKED' },
        attempt: { status: 'undone', sqlState: '57014' },
      });
      expect(await scene.boot({ connection })).toMatchObject({ applied: [{ name: '0002_hostile.js', tries: 1 }, {}] });
    },
  );

  test.each(ways)(
    '%s, after something that must not be done twice, is reported with the blockers and with what is done',
    async (_how, up) => {
      const { scene, connection, report, pid } = await blocked({ body: up, transaction: false });
      const error = await scene.fail({ connection, timeouts: { callMs: 400 } });
      expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: false, exitCode: 78 });
      expect(error.message).toMatch(new RegExp(`must not be done twice; blocked by pid ${pid} \\(.*nightly report`));
      expect(error.message).toContain('already done outside a transaction: insert into "log"');
      await report.query('commit');
      expect(await scene.aftermath()).toMatchObject({
        ...untouched,
        log: ['0001', '0002'],
        attempt: { status: 'unfinished', sqlState: '57014' },
      });
      expect(await scene.fail({ connection })).toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
      await scene.undo(`delete from log where name = '0002'`);
      await scene.heal({ connection });
    },
  );

  test.each(ways)('%s, after a concurrent build, is run again without building that a second time', async (_how, up) => {
    const { scene, connection, report } = await blocked(outside(`${code('create index concurrently i on log (name)')} ${up}`));
    const booting = scene.boot({ connection, timeouts: { harmMs: 50 } });
    await queue(scene);
    const retried = await poll(() => Promise.resolve(scene.events.find(({ event }) => event === 'step.retried')));
    const index = `select 'i'::regclass::oid::int as oid`;
    const built = await scene.database.query(index);
    await report.query('commit');
    expect(await booting).toMatchObject({ applied: [{ name: '0002_hostile.js' }, {}] });
    expect(await scene.database.query(index)).toEqual(built);
    expect(scene.events.slice(scene.events.indexOf(retried))).toContainEqual(expect.objectContaining({ event: 'step.adopted' }));
    expect(await scene.boot({ connection })).toMatchObject({ status: 'in-sync' });
  });
});

describe('the record of a migration outside a transaction', () => {
  async function blocked(hostile: Hostile, attributes = '') {
    const { scene, connection } = await makeOwned(hostile, attributes);
    const { client: backup, pid } = await openClient(scene, 'backup');
    await backup.query('begin; lock table knex_migrations in share mode'); // as pg_dump with serializable tables, or a careless psql
    return { scene, connection, backup, pid };
  }

  const once: Hostile = { body: code('create table stray (id int)'), transaction: false };
  const ranOnce = { log: ['0001', '0002'], tables: ['log', 'patients', 'stray'] };

  test.each([
    ['', 'with a watcher'],
    ['connection limit 1', 'without one'],
  ])('that is blocked for a while is tried again (%s, %s)', async (attributes) => {
    const { scene, connection, backup } = await blocked(once, attributes);
    const booting = scene.boot({ connection, timeouts: { harmMs: 50 } });
    await poll(
      async () => (await scene.database.query(`select from pg_locks where relation = 'knex_migrations'::regclass and not granted`))[0],
    );
    const reader = attributes === '' ? scene.database.query('begin; lock table knex_migrations in share mode; commit') : Promise.resolve();
    await poll(() => Promise.resolve(scene.events.find(({ event }) => event === 'step.retried')));
    await Promise.all([reader, backup.query('commit')]);
    expect(await booting).toMatchObject({ applied: [{ name: '0002_hostile.js' }, { name: '0003_after.js' }] });
    expect(await scene.aftermath()).toMatchObject({ log: [...ranOnce.log, '0003'], attempt: { status: 'done' } });
    expect(await scene.boot({ connection })).toMatchObject({ status: 'in-sync' });
  });

  test('that is blocked until the patience is used up is said to be all that is missing; recorded by hand, the next boot goes on', async () => {
    const { scene, connection, backup, pid } = await blocked(once);
    const error = await scene.fail({ connection, timeouts: { callMs: 400 } });
    expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: false, exitCode: 78 });
    expect(error.message).toMatch(new RegExp(`blocked by pid ${pid} \\(.*backup`));
    expect(error.message).toContain('it ran to its end: only its rows in the history and in the journal are missing');
    expect(error.remedy).toMatch(/^Record it as done \(docs\/operations\.md, "An unfinished migration"\): nothing of it is missing\. /);
    await backup.query('commit');
    expect(await scene.aftermath()).toMatchObject({ ...untouched, ...ranOnce, attempt: { status: 'unfinished' } });
    expect(await scene.fail({ connection })).toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
    const detail = JSON.stringify({ direction: 'up', status: 'done' });
    await scene.database.query(
      `with history as (insert into knex_migrations (name, batch, migration_time) values ('0002_hostile.js', 2, now()))
       insert into knex_migrations_journal (run, kind, migration, detail) values (gen_random_uuid(), 'repair', '0002_hostile.js', $1)`,
      [detail],
    );
    expect(await scene.boot({ connection })).toMatchObject({ applied: [{ name: '0003_after.js' }] });
    expect(await scene.aftermath()).toMatchObject({ log: [...ranOnce.log, '0003'], isLocked: [0], owner: { state: 'clear' } });
  });

  test('that is blocked, of one that can be looked up, leaves nothing to decide', async () => {
    const text = `export const config = { transaction: false };\nexport async function up(knex) { ${code('create index concurrently i on log (name)')} }`;
    const { scene, connection, backup } = await blocked({ text });
    const error = await scene.fail({ connection, timeouts: { callMs: 400 } });
    expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true });
    expect(error.message).toContain('it ran to its end');
    await backup.query('commit');
    expect(await scene.boot({ connection })).toMatchObject({ applied: [{ name: '0002_hostile.js' }, {}] });
    expect(await scene.boot({ connection })).toMatchObject({ status: 'in-sync' });
  });

  test('that the server refuses is said to be all that is missing', async () => {
    const scene = await makeScene(once);
    const body = `begin if new.name like '0002%' then raise 'not in this house'; end if; return new; end`;
    const first = (await import(`${scene.directory}/0001_before.js`)) as object;
    await scene.boot({ migrations: { modules: { '0001_before.js': first } } });
    await scene.database.query(`create function refuse() returns trigger language plpgsql as $$ ${body} $$`);
    await scene.database.query('create trigger refuse before insert on knex_migrations for each row execute function refuse()');
    const error = await scene.fail();
    expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', retryable: false });
    expect(error.message).toMatch(/^migration 0002_hostile\.js could not be recorded at .*: not in this house \(SQLSTATE P0001\)/);
    expect(error.message).toContain('it ran to its end: only its rows');
    expect(await scene.aftermath()).toMatchObject({ ...untouched, ...ranOnce, attempt: { status: 'unfinished' } });
  });
});
