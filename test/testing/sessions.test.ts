import knexOf, { type Knex } from 'knex';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { TestDatabase, TestDatabasesOptions } from '../../src/testing/index.js';
import { afterFile } from '../support/cleanup.js';
import { startHarness } from './fixture.js';

const { harness, directory } = await startHarness({ onLeak: 'end' });

type Run = (sql: string) => Promise<Record<string, unknown>[]>;
type Way = 'pool' | 'knex';

function runBy(db: TestDatabase, way: Way): Run {
  return async (sql) =>
    way === 'pool'
      ? (await db.pool.query<Record<string, unknown>>(sql)).rows
      : (await db.knex.raw<{ rows: Record<string, unknown>[] }>(sql)).rows;
}

/** A database whose `knex` has this configuration. */
async function acquireWith(config: Knex.Config, options: TestDatabasesOptions = {}): Promise<TestDatabase> {
  const base = knexOf({ client: 'pg', connection: 'postgres://nowhere.invalid/real', migrations: { directory }, ...config });
  const { harness: own } = await startHarness({ migrations: undefined, knex: base, onLeak: 'end', ...options });
  return await own.acquire();
}

const stateSql = `select current_setting('search_path') as path, current_setting('role') as role, current_setting('app.tenant', true) as tenant,
  pg_backend_pid() as pid`;
const unset = { path: '"$user", public', role: 'none', tenant: null };

describe.each<Way>(['pool', 'knex'])('by way of db.%s', (way) => {
  test.each([
    'set search_path to nowhere',
    'set role pg_monitor',
    `set app.tenant to 'x'`,
    `select set_config('app.tenant', 'x', false)`,
    `do $$ begin set app.tenant to 'x'; end $$`,
    'set session authorization pg_monitor',
  ])('what "%s" has set does not reach the next test', async (sql) => {
    await using db = await harness.acquire();
    const run = runBy(db, way);
    await run(sql);
    expect(await db.reset()).toBe('untouched');
    expect(await run(stateSql)).toMatchObject([unset]);
  });

  test('a session that was only asked is kept, and what a function has set in it is taken back', async () => {
    await using db = await harness.acquire();
    const run = runBy(db, way);
    await run(`create function choose() returns text language sql as $$ select set_config('search_path', 'nowhere', false) $$`);
    await db.reset();
    const [first] = await run(stateSql);
    await run(`insert into people (name) values ('Ada')`);
    await db.reset();
    expect(await run(stateSql)).toEqual([first]);
  });

  test('a prepared statement does not stand in the way of one of the same name', async () => {
    await using db = await harness.acquire();
    const run = runBy(db, way);
    for (const n of [1, 2]) {
      await run(`prepare asked as select ${n} as n`);
      expect(await run('execute asked')).toEqual([{ n }]);
      await db.reset();
    }
  });

  test('a test may end it: the next one finds it open', async () => {
    await using db = await harness.acquire();
    await runBy(db, way)('select');
    await (way === 'pool' ? db.pool.end() : db.knex.destroy());
    await db.reset();
    expect(await runBy(db, way)(stateSql)).toMatchObject([unset]);
  });

  test('clients that tests never gave back take no place for good', async () => {
    await using db = await harness.acquire();
    for (let n = 0; n < 12; n++) {
      if (way === 'pool') await (await db.pool.connect()).query('begin');
      else await db.knex.transaction();
      await db.reset();
    }
    expect(await runBy(db, way)(stateSql)).toMatchObject([unset]);
  });
});

test('the searchPath of a knex holds in the next test, whatever was set', async () => {
  await using db = await acquireWith({ searchPath: ['public', 'more'] });
  const run = runBy(db, 'knex');
  const [first] = await run(stateSql);
  expect(first).toMatchObject({ path: 'public, more', tenant: null });
  await db.reset();
  expect(await run(stateSql)).toEqual([first]);
  await run(`set search_path to nowhere; set app.tenant to 'x'`);
  await db.reset();
  expect(await run(stateSql)).toMatchObject([{ path: 'public, more', role: 'none', tenant: null }]);
});

test('what pool.afterCreate of a knex has set holds in the next test, whatever was set', async () => {
  const afterCreate = (client: pg.Client, done: (error: unknown, client: pg.Client) => void) => {
    client.query(`set app.tenant to 'clinic'; set lock_timeout to '7s'`, (error) => done(error, client));
  };
  await using db = await acquireWith({ pool: { min: 1, max: 3, afterCreate } });
  const run = runBy(db, 'knex');
  const created = { ...unset, tenant: 'clinic' };
  expect(await run(stateSql)).toMatchObject([created]);
  await run(`set role pg_monitor; set app.tenant to 'x'; set search_path to nowhere; reset lock_timeout`);
  await db.reset();
  expect(await run(stateSql)).toMatchObject([created]);
  expect(await run('show lock_timeout')).toEqual([{ lock_timeout: '7s' }]);
});

test('what a listener of db.pool to its new clients has set holds in the next test, whatever was set', async () => {
  await using db = await harness.acquire();
  db.pool.on('connect', (client) => void client.query(`set app.tenant to 'clinic'`));
  const run = runBy(db, 'pool');
  await run(`set app.tenant to 'x'`);
  await db.reset();
  expect(await run(stateSql)).toMatchObject([{ tenant: 'clinic' }]);
});

test.each(['keep', 'end'] as const)('idle sessions of the application are, with onIdle %s, what that says', async (onIdle) => {
  const { harness: own } = await startHarness({ onIdle });
  await using db = await own.acquire();
  const application = new pg.Pool({ connectionString: db.url });
  application.on('error', () => undefined);
  afterFile(async () => await application.end());
  const pidOf = async () => (await application.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid;
  const [first] = [await pidOf(), await runBy(db, 'pool')('select'), await runBy(db, 'knex')('select')];
  await db.pool.query(`insert into people (name) values ('Ada')`);
  expect(await db.reset()).toBe('mended');
  await db.pool.query(`insert into people (name) values ('Ada')`);
  expect(await db.reset()).toBe('mended');
  const there = await db.pool.query('select from pg_stat_activity where pid = $1', [first]);
  expect(there.rowCount).toBe(onIdle === 'keep' ? 1 : 0);
  expect((await pidOf()) === first).toBe(onIdle === 'keep');
});
