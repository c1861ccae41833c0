import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkIdentity, runChecks } from '../../src/checks/index.js';
import { ruleTable } from '../../src/config/index.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase, startServer } from '../support/servers.js';
import { findingsOf, only, withInput } from './fixture.js';

const database = await createDatabase();

describe('server-version', () => {
  const on = async (serverVersion: number) =>
    await withInput(database.url, {}, async ({ facts }) => {
      return await findingsOf(database.url, 'server-version', { input: { facts: { ...facts, serverVersion } } });
    });

  test('refuses what is older than 14', async () => {
    expect(await on(130_023)).toEqual([
      {
        code: 'server-version',
        level: 'error',
        message:
          'the server is PostgreSQL 13.23, which has no client_connection_check_interval and no idle_session_timeout: a migrator that is killed would keep the lock',
        remedy: 'Upgrade the server to PostgreSQL 14 or later.',
      },
    ]);
  });
  test('mentions what is newer than 18', async () => {
    expect(await on(190_000)).toEqual([
      {
        code: 'server-version',
        level: 'info',
        message: 'the server is PostgreSQL 19.0; this version of ensure-migrated is tested up to 18',
        remedy: 'Look for a newer version of ensure-migrated.',
      },
    ]);
  });
  test.each([140_000, 150_018, 180_004])('accepts %i', async (serverVersion) => {
    expect(await on(serverVersion)).toEqual([]);
  });
  test('accepts the server of these tests', async () => {
    expect(await findingsOf(database.url, 'server-version')).toEqual([]);
  });
});

describe('not-writable', () => {
  test('finds nothing on a primary', async () => {
    expect(await findingsOf(database.url, 'not-writable')).toEqual([]);
  });
  test('refuses a standby', async () => {
    const server = await startServer();
    const standby = await server.createDatabase();
    const [row] = await standby.query('show data_directory');
    await server.stop();
    writeFileSync(path.join(row!['data_directory'] as string, 'standby.signal'), '');
    await server.start();
    expect(await findingsOf(standby.url, 'not-writable')).toEqual([
      {
        code: 'not-writable',
        level: 'error',
        message: `the server of "${standby.name}" is a standby, which accepts no writes`,
        remedy: 'Point the connection at the primary (the writer endpoint).',
      },
    ]);
  });

  describe('with a role whose transactions are read-only', () => {
    test('refuses where the session does not override it, and says who set it', async () => {
      const role = await database.createRole();
      await database.query(`alter role ${role.name} set default_transaction_read_only = on`);
      expect(await findingsOf(role.url, 'not-writable')).toEqual([
        {
          code: 'not-writable',
          level: 'error',
          message: `transactions of the role "${role.name}" in "${database.name}" are read-only (default_transaction_read_only)`,
          remedy: `Run: alter role "${role.name}" reset default_transaction_read_only;`,
        },
      ]);
    });
    test('finds nothing on a session that is held: it overrides that', async () => {
      const role = await database.createRole();
      await database.query(`alter role ${role.name} set default_transaction_read_only = on`);
      const options = { rules: only({ 'not-writable': 'error' }) };
      const findings = await withInput(role.url, options, async (input) => {
        await input.session.hold('direct', input.facts);
        return await runChecks(input);
      });
      expect(findings).toEqual([]);
    });
  });
});

describe('server-settings', () => {
  test('finds nothing on a server as it comes', async () => {
    expect(await findingsOf(database.url, 'server-settings')).toEqual([]);
  });

  test.each([
    ['statement_timeout', '5s', 'the server cancels a statement of a migration that takes longer than 5s'],
    [
      'session_replication_role',
      'replica',
      'triggers do not fire and foreign keys are not checked, so migrations write rows that nobody has checked',
    ],
    [
      'standard_conforming_strings',
      'off',
      'a backslash in a plain string of a migration is an escape, which is not what its author saw on other servers',
    ],
    [
      'track_activities',
      'off',
      'sessions do not say what they do, so the holder of a lock cannot be described, and one at work looks idle',
    ],
  ])('warns of %s = %s, and says how to reset it', async (setting, value, harm) => {
    const role = await database.createRole();
    await database.query(`alter role ${role.name} set ${setting} = '${value}'`);
    expect(await findingsOf(role.url, 'server-settings')).toEqual([
      {
        code: 'server-settings',
        level: 'warn',
        message: `${setting} is ${value}: ${harm}`,
        remedy: `Run: alter role "${role.name}" reset ${setting};`,
      },
    ]);
  });

  test('warns of a transaction_timeout where the server has one', async () => {
    const role = await database.createRole();
    const [known] = await database.query(`select from pg_settings where name = 'transaction_timeout'`);
    if (known) await database.query(`alter role ${role.name} set transaction_timeout = '90s'`);
    const messages = (await findingsOf(role.url, 'server-settings')).map(({ message }) => message);
    expect(messages).toEqual(
      known ? ['transaction_timeout is 90s: the server ends our session when a transaction takes longer than 90s'] : [],
    );
  });

  test('names the database, both, or the connection where it is set there', async () => {
    const other = await createDatabase();
    const role = await other.createRole();
    const remedies = async (url = role.url): Promise<unknown> => (await findingsOf(url, 'server-settings')).map(({ remedy }) => remedy);

    expect(await remedies(`${role.url}?options=-c%20statement_timeout%3D9s`)).toEqual([
      "Take statement_timeout out of the connection's options, or out of knex's pool.afterCreate.",
    ]);
    await other.query(`alter database ${other.name} set statement_timeout = '5s'`);
    expect(await remedies()).toEqual([`Run: alter database "${other.name}" reset statement_timeout;`]);
    await other.query(`alter role ${role.name} in database ${other.name} set statement_timeout = '6s'`);
    expect(await remedies()).toEqual([`Run: alter role "${role.name}" in database "${other.name}" reset statement_timeout;`]);
  });

  test('passes over a setting that the rule excepts', async () => {
    const role = await database.createRole();
    await database.query(`alter role ${role.name} set statement_timeout = '5s'`);
    const rules = only({ 'server-settings': { level: 'error', except: ['statement_timeout'] } });
    expect(await withInput(role.url, { rules }, runChecks)).toEqual([]);
  });

  test('warns when one transaction may outgrow the table of locks', async () => {
    const [row] = await database.query(
      `select current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) as room`,
    );
    const room = row!['room'] as number;
    const pending = Array.from({ length: Math.ceil(room / 7) + 1 }, () => ({}) as never);
    const find = async (transaction: 'each' | 'all', pooled: boolean) =>
      await findingsOf(database.url, 'server-settings', { options: { transaction }, input: { pending, pooled } });

    const message = `${pending.length} migrations in one transaction may need more locks than the ${room} that the server has room for (max_locks_per_transaction)`;
    expect(await find('all', false)).toEqual([
      {
        code: 'server-settings',
        level: 'warn',
        message,
        remedy: "Use transaction: 'each' for this release, or raise max_locks_per_transaction.",
      },
    ]);
    expect(await find('each', true)).toEqual([
      {
        code: 'server-settings',
        level: 'warn',
        message,
        remedy: 'Give `directConnection`, so that each migration has a transaction of its own, or raise max_locks_per_transaction.',
      },
    ]);
    expect(await find('each', false)).toEqual([]);
  });
});

describe('free-connections', () => {
  test('finds nothing when there are enough', async () => {
    expect(await findingsOf(database.url, 'free-connections')).toEqual([]);
  });
  test('warns when the role may open hardly any more', async () => {
    const role = await database.createRole('connection limit 2');
    expect(await findingsOf(role.url, 'free-connections')).toEqual([
      {
        code: 'free-connections',
        level: 'warn',
        message: `the role "${role.name}": 1 of 2 connections free; a run that migrates opens a second one, and the service its own`,
        remedy: `Close sessions that nobody needs, or run: alter role "${role.name}" connection limit -1;`,
      },
    ]);
  });
  test('warns when the database may take hardly any more, but not a superuser, whom that does not bind', async () => {
    const other = await createDatabase();
    const role = await other.createRole();
    await other.query(`alter database ${other.name} connection limit 3`);
    expect(await findingsOf(role.url, 'free-connections')).toEqual([
      {
        code: 'free-connections',
        level: 'warn',
        message: `the database "${other.name}": 2 of 3 connections free; a run that migrates opens a second one, and the service its own`,
        remedy: `Close sessions that nobody needs, or run: alter database "${other.name}" connection limit -1;`,
      },
    ]);
    expect(await findingsOf(other.url, 'free-connections')).toEqual([]);
  });
  test('warns when the server has hardly any left besides the reserved ones, counting sessions of other roles', async () => {
    const server = await startServer({ settings: { max_connections: 8, superuser_reserved_connections: 3 } });
    const small = await server.createDatabase();
    const role = await small.createRole();
    await small.connect();
    await small.connect();
    expect(await findingsOf(role.url, 'free-connections')).toEqual([
      {
        code: 'free-connections',
        level: 'warn',
        message: 'the server: 2 of 5 connections free; a run that migrates opens a second one, and the service its own',
        remedy: 'Close sessions that nobody needs, or raise max_connections.',
      },
    ]);
  });
});

describe('pooler', () => {
  test('finds nothing on a direct connection', async () => {
    expect(await findingsOf(database.url, 'pooler')).toEqual([]);
  });
  describeWithPgBouncer('behind PgBouncer', () => {
    test('warns, with both pids', async () => {
      const bouncer = await startPgBouncer(database.url);
      const url = bouncer.urlOf(database.url);
      const [pids, findings] = await withInput(url, { rules: only({ pooler: 'warn' }) }, async (input) => {
        const { processId } = input.session.wire;
        return [{ processId, backendPid: input.facts.backendPid }, await runChecks({ ...input, pooled: true })] as const;
      });
      expect(pids.processId).not.toBe(pids.backendPid);
      expect(findings).toEqual([
        {
          code: 'pooler',
          level: 'warn',
          message: `the connection goes through a pooler (told pid ${pids.processId} when it connected, served by pid ${pids.backendPid}): the lock and all pending migrations share one transaction`,
          remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler.',
        },
      ]);
      expect(await findingsOf(url, 'pooler', { input: { pooled: true } })).toHaveLength(1);
    });
  });
});

describe('identity', () => {
  const identify = async () =>
    (await database.query('select system_identifier::text as identifier from pg_control_system()'))[0]!['identifier'] as string;

  test('finds nothing without `expect`, and sends nothing', async () => {
    const [findings, tags] = await withInput(database.url, {}, async (input) => {
      input.session.wire.tags = [];
      return [await checkIdentity(input), input.session.wire.tags] as const;
    });
    expect({ findings, tags }).toEqual({ findings: [], tags: [] });
  });
  test('finds nothing on the database that is expected', async () => {
    const expected = { database: database.name, systemIdentifier: await identify() };
    expect(await findingsOf(database.url, 'identity', { options: { expect: expected } })).toEqual([]);
  });
  test('refuses another database, and another server', async () => {
    const remedy = 'Correct the connection (DATABASE_URL), or the option `expect` where the database has moved.';
    const wrong = [
      {
        code: 'identity',
        level: 'error',
        message: `connected to the database "${database.name}"; expected "production" (expect.database)`,
        remedy,
      },
      {
        code: 'identity',
        level: 'error',
        message: `connected to the server ${await identify()}; expected 42 (expect.systemIdentifier)`,
        remedy,
      },
    ];
    const options = { expect: { database: 'production', systemIdentifier: '42' } };
    expect(await findingsOf(database.url, 'identity', { options })).toEqual(wrong);
    expect(await withInput(database.url, options, checkIdentity)).toEqual(wrong);
    expect(await withInput(database.url, { ...options, rules: { identity: 'off' } }, checkIdentity)).toEqual([]);
  });
  test('refuses where it may not look', async () => {
    const server = await startServer();
    const closed = await server.createDatabase();
    const role = await closed.createRole();
    await closed.query('revoke execute on function pg_control_system() from public');
    const options = { expect: { systemIdentifier: '42' } };
    expect(await findingsOf(role.url, 'identity', { options })).toEqual([
      {
        code: 'identity',
        level: ruleTable.identity.level,
        message: 'this could not be found out: permission denied for function pg_control_system (SQLSTATE 42501)',
        remedy: "Mend what the message names, or go without the answer: rules: { 'identity': 'off' }.",
      },
    ]);
  });
});
