import { beforeAll, describe, expect, test } from 'vitest';
import { plan, status } from '../../src/commands/index.js';
import type { Options } from '../../src/index.js';
import { holdersOf, waitUntilBlocked } from '../support/boot.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { failureOf } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, expectAtHead, first, historyOf, migrationsOf, second } from './fixture.js';
import { bootTenants, createSchemas, directoryOf, failTenants, ranIn } from './tenants-fixture.js';

const timeouts = { lockMs: 300 };
const tables = ['knex_migrations', 'knex_migrations_journal'];

let database: TestDatabase;
let old: string;
let next: string;

beforeAll(async () => {
  database = await createDatabase();
  old = await migrationsOf({});
  next = await migrationsOf({ [second]: { statements: [] } });
  await boot(database, old);
});

/** Somebody who has locked a table, until the work is done. */
async function whileLocked<T>(statement: string, work: (pid: number) => Promise<T>): Promise<T> {
  const client = await database.connect();
  await client.query(`set application_name = 'night shift'; begin; ${statement}`);
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  try {
    return await work(rows[0]!.pid);
  } finally {
    await client.query('rollback');
    await client.end();
  }
}

const blockedBy = (pid: number) => ({
  code: 'EM_BLOCKED',
  retryable: true,
  exitCode: 75,
  message: expect.stringMatching(
    new RegExp(
      `waited 300 ms for a table of the history.*blocked by pid ${pid} \\(.*night shift.*in its transaction for \\d+ s; last ran: `,
    ),
  ) as string,
});

describe('a table of the history that somebody has locked', () => {
  test.each([
    ['knex_migrations', 'apply'],
    ['knex_migrations', 'wait'],
    ['knex_migrations_journal', 'verify'],
  ] as const)('%s: a boot in mode %s that has nothing to do ends with EM_BLOCKED and the name of that session', async (table, mode) => {
    await whileLocked(`lock table ${table}`, async (pid) => {
      expect(await failureOf(boot(database, old, { timeouts, mode }))).toMatchObject(blockedBy(pid));
    });
    await expect(boot(database, old, { timeouts, mode })).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('one with something to do has changed nothing, and holds no lock', async () => {
    await whileLocked('lock table knex_migrations', async (pid) => {
      expect(await failureOf(boot(database, next, { timeouts }))).toMatchObject(blockedBy(pid));
    });
    await expectAtHead(database, { history: [first] });
  });

  test('who waits for the lock, and whoever it waits for, are named', async () => {
    await whileLocked('select from knex_migrations', async (reader) => {
      const waiter = await database.connect();
      const waiting = waiter.query('begin; lock table knex_migrations').catch(() => undefined);
      await waitUntilBlocked(database);
      const error = await failureOf(boot(database, old, { timeouts }));
      expect(error.code).toBe('EM_BLOCKED');
      expect(error.message).toMatch(new RegExp(`pid ${reader} \\(.*night shift`));
      expect(error.message).toContain('last ran: begin; lock table knex_migrations');
      await waiter.end();
      await waiting;
    });
  });

  test('a prepared transaction, which no session will end, is named', async () => {
    const client = await database.connect();
    await client.query(`begin; lock table knex_migrations; prepare transaction 'left behind'`);
    const booting = boot(database, old, { timeouts }).finally(() => client.query(`rollback prepared 'left behind'`));
    expect((await failureOf(booting)).message).toContain('blocked by the prepared transaction left behind of ');
    await client.end();
  });

  test.each([
    ['status', async (options: Options) => await status(options)],
    ['plan', async (options: Options) => await plan(options)],
  ])('the verb %s ends in the same way', async (_, verb) => {
    await whileLocked('lock table knex_migrations_journal', async (pid) => {
      expect(await failureOf(verb({ connection: database.url, migrations: next, logger: false, timeouts }))).toMatchObject(blockedBy(pid));
    });
  });

  test('a writer of the journal who does not end keeps a migration from its claim, and is named', async () => {
    await database.query('drop index knex_migrations_journal_m; drop table knex_migrations_lock'); // so that both are made
    await whileLocked('lock table knex_migrations_journal in row exclusive mode', async () => {
      expect(await failureOf(boot(database, next, { timeouts }))).toMatchObject({ code: 'EM_BLOCKED' });
    });
    expect(await historyOf(database)).toEqual([first]);
    expect(await holdersOf(database)).toEqual([]);
  });

  test('a lock_timeout or a statement_timeout of the role is not what ends the wait', async () => {
    const role = await database.createRole();
    await database.query(`grant select on ${tables.join()} to ${role.name}; alter role ${role.name} set statement_timeout = 100`);
    await database.query(`alter role ${role.name} set lock_timeout = 50`);
    await whileLocked('lock table knex_migrations', async () => {
      const error = await failureOf(boot({ url: role.url }, old, { timeouts }));
      expect(error).toMatchObject({ code: 'EM_BLOCKED' });
      expect(error.message).toContain('hidden from this role: grant pg_read_all_stats');
    });
  });
});

test('a table that is locked between two statements of a run ends it with EM_BLOCKED, and the next boot heals', async () => {
  const own = await createDatabase();
  const locker = await own.connect();
  const { rows } = await locker.query<{ pid: number }>('select pg_backend_pid() as pid');
  const afterAll = async () => void (await locker.query('begin; lock table knex_migrations_journal'));
  const error = await failureOf(boot(own, next, { migrations: { directory: next, afterAll }, timeouts: { callMs: 300 } }));
  expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true, outcome: { applied: [{ name: first }, { name: second }] } });
  expect(error.message).toMatch(new RegExp(`^gave up waiting for a table of the history.*blocked by pid ${rows[0]?.pid} \\(`));
  expect([await historyOf(own), await holdersOf(own)]).toEqual([[first, second], []]);
  await locker.query('rollback');
  expect(await boot(own, next)).toMatchObject({ status: 'in-sync' });
  await expectAtHead(own, { history: [first, second] });
});

describeWithPgBouncer('behind PgBouncer in transaction mode', () => {
  test('the boot ends in the same way, and the next client of the server connection has its own limits', async () => {
    const bouncer = await startPgBouncer(database.url, { settings: { default_pool_size: 1 } });
    const url = bouncer.urlOf(database.url);
    for (const directory of [old, next])
      await whileLocked('lock table knex_migrations', async (pid) => {
        expect(await failureOf(boot({ url }, directory, { timeouts }))).toMatchObject(blockedBy(pid));
      });
    const client = await database.connect(url);
    const { rows } = await client.query(
      `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`,
    );
    expect(rows).toEqual([{ lock: '0', statement: '0' }]);
    await client.end();
  });
});

test('of tenants only the one whose history is locked fails, be the others up to date or behind', async () => {
  const [tenants, scene] = [['a', 'b', 'c', 'd'], { database, directory: await directoryOf() }] as const;
  await createSchemas(database, tenants);
  await bootTenants({ database, directory: await directoryOf(2) }, ['b', 'c']);
  await bootTenants(scene, ['d']);
  await whileLocked('lock table b.knex_migrations', async (pid) => {
    const error = await failTenants(scene, tenants, { timeouts });
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', retryable: true });
    expect(error.members.map(({ name, status }) => `${name} ${status}`)).toEqual(['a migrated', 'b failed', 'c migrated', 'd in-sync']);
    expect(error.members.find(({ name }) => name === 'b')?.error).toMatchObject(blockedBy(pid));
  });
  await expect(bootTenants(scene, tenants)).resolves.toMatchObject({ status: 'migrated' });
  for (const tenant of tenants) expect(await ranIn(database, tenant)).toHaveLength(3);
});
