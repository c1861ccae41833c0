import { describe, expect, test } from 'vitest';
import { holdersOf, startBoot, waitUntilAwaitsClient, waitUntilRuns } from '../support/boot.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { startServer } from '../support/servers.js';
import {
  boot,
  copiesSlowly,
  expectAtHead,
  expectHealed,
  expectLost,
  expectOneApplier,
  first,
  goesOnAfter,
  migrationsOf,
  readsSlowly,
  second,
  sleepsInCopy,
  sleepsInProcess,
  sleepsInServer,
  stallingScene,
} from './fixture.js';

const head = { history: [first, second] };

describe('a session that the server ends', () => {
  test('by pg_terminate_backend, in a statement: the one that waits takes over, the other fails', async () => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const victim = startBoot({ connection: database.url, directory }, { STALL: second });
    const { pid } = await waitUntilRuns(database, 'pg_sleep');
    const successor = startBoot({ connection: database.url, directory });
    await successor.waitForEvent('lock.waiting');
    await database.query('select pg_terminate_backend($1)', [pid]);
    await expectLost(victim, /02_second\.js: the session with the server was lost: terminating connection due to administrator command/);
    await expectOneApplier(database, successor);
  });

  test('by pg_terminate_backend, while the migration is busy elsewhere: it is left behind and fails at once', async () => {
    const { database, directory } = await stallingScene(sleepsInProcess);
    const victim = startBoot({ connection: database.url, directory }, { STALL: second });
    await victim.waitForEvent('stalled');
    const [pid] = await holdersOf(database);
    await database.query('select pg_terminate_backend($1)', [pid]);
    await expectLost(victim, /terminating connection due to administrator command/);
    await expectHealed(database, directory, head);
  });

  test('by its crash and restart: the holder fails, and a process that boots meanwhile is ready', async () => {
    const server = await startServer({ durable: true });
    const database = await server.createDatabase();
    const directory = await migrationsOf({ [second]: { statements: ['create table tags (id int)'], stall: sleepsInServer } });
    const victim = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    await server.stop('immediate');
    await expectLost(victim, /the session with the server was lost/);
    const successor = startBoot({ connection: database.url, directory });
    await successor.waitForEvent('connect.waiting');
    await server.start();
    await expectOneApplier(database, successor);
  });
});

describe.concurrent('a process that falls silent for longer than its lease', () => {
  const timeouts = { leaseMs: 3_000 };

  test.each([
    ['in a transaction', head],
    ['outside', { ...head, ran: [first] }],
  ] as const)('frozen, its migration %s: another takes over, and it fails when it wakes', async (transaction, expected) => {
    const { database, directory } = await stallingScene(goesOnAfter(100), transaction);
    const frozen = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
    await frozen.waitForEvent('stalled');
    frozen.signal('SIGSTOP');
    const successor = startBoot({ connection: database.url, directory, timeouts });
    await successor.waitForEvent('service.ready');
    frozen.signal('SIGCONT');
    // When it wakes it hears first of its timers or of the server.
    await expectLost(frozen, /has not answered|terminating connection due to idle-(in-transaction|session) timeout/);
    await expectOneApplier(database, successor, expected);
  });

  test('frozen inside COPY FROM STDIN: a process that waits ends its session', async () => {
    const { database, directory } = await stallingScene(sleepsInCopy);
    const frozen = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
    const { pid } = await waitUntilAwaitsClient(database);
    frozen.signal('SIGSTOP');
    const successor = startBoot({ connection: database.url, directory, timeouts });
    expect(await successor.waitForEvent('lock.holder-ended')).toMatchObject({ pid, ended: true });
    await successor.waitForEvent('service.ready');
    frozen.signal('SIGCONT');
    await expectLost(frozen, /has not answered|terminating connection due to administrator command/);
    await expectOneApplier(database, successor);
  });

  test('its event loop blocked by a migration: the error says for how long, and which option it is', async () => {
    const { database, directory } = await stallingScene(`
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000);
      await knex.raw('create table beside (id int)');`);
    const blocked = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
    await expectLost(blocked, /the event loop of this process was blocked for \d{4} ms, the lease is 3000 ms \(timeouts\.leaseMs\)/);
    await expectHealed(database, directory, head);
  });
});

describe.concurrent('a process that takes longer than its lease, and lives', () => {
  const timeouts = { leaseMs: 3_000 };

  test.each(['in a transaction', 'outside'] as const)(
    'keeps its session while its migration is busy elsewhere, %s',
    async (transaction) => {
      const { database, directory } = await stallingScene(goesOnAfter(5_000), transaction);
      const slow = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
      await slow.waitForEvent('service.ready');
      expect(await database.query(`select to_regclass('beside')::text as beside`)).toEqual([{ beside: 'beside' }]);
    },
  );

  test.each([
    ['copies in rows', copiesSlowly],
    ['reads from a cursor', readsSlowly],
  ])('keeps its session while it slowly %s, though others wait for it', async (_what, stall) => {
    const { database, directory } = await stallingScene(stall);
    const slow = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
    await waitUntilAwaitsClient(database);
    const waiter = startBoot({ connection: database.url, directory, timeouts });
    await slow.waitForEvent('service.ready');
    expect(await waiter.waitForEvent('service.ready')).toMatchObject({ outcome: { status: 'in-sync' } });
    expect(waiter.events().map(({ event }) => event)).not.toContain('lock.holder-ended');
  });

  test('keeps its session while a statement runs', async () => {
    const { database, directory } = await stallingScene(`await knex.raw('select pg_sleep(5)');`);
    const slow = startBoot({ connection: database.url, directory, timeouts }, { STALL: second });
    await slow.waitForEvent('service.ready');
    await expectAtHead(database, head);
  });

  test('keeps its session while a statement runs, also when no connection is left to watch it from', async () => {
    const { database, directory } = await stallingScene(`await knex.raw('select pg_sleep(5)');`);
    await boot(database, await migrationsOf({}));
    const role = await database.createRole('connection limit 1');
    await database.query(`grant create on schema public to ${role.name}`);
    await database.query(`grant all on all tables in schema public to ${role.name}`);
    await database.query(`grant all on all sequences in schema public to ${role.name}`);
    await database.query(`alter table notes owner to ${role.name}`);
    const slow = startBoot({ connection: role.url, directory, timeouts }, { STALL: second });
    await slow.waitForEvent('watch.unavailable');
    await slow.waitForEvent('service.ready');
    await expectAtHead(database, head);
  });
});

// The lease of the transaction that holds the lock and does everything: the session itself is the pooler's.
describe.concurrent('through a pooler', () => {
  describeWithPgBouncer('PgBouncer in transaction mode', () => {
    const timeouts = { leaseMs: 3_000 };

    test('a process keeps its transaction while its migration is busy elsewhere for longer than the lease', async () => {
      const { database, directory } = await stallingScene(goesOnAfter(5_000));
      const pooler = await startPgBouncer(database.url);
      const slow = startBoot({ connection: pooler.urlOf(database.url), directory, timeouts }, { STALL: second });
      await slow.waitForEvent('service.ready');
      await expectAtHead(database, head);
    });

    test('one that is frozen loses it: another takes over, and it fails when it wakes', async () => {
      const { database, directory } = await stallingScene(goesOnAfter(100));
      await boot(database, await migrationsOf({}));
      const connection = (await startPgBouncer(database.url)).urlOf(database.url);
      const frozen = startBoot({ connection, directory, timeouts }, { STALL: second });
      await frozen.waitForEvent('stalled');
      frozen.signal('SIGSTOP');
      const successor = startBoot({ connection, directory, timeouts });
      await successor.waitForEvent('service.ready');
      frozen.signal('SIGCONT');
      await expectLost(frozen, /the session with the server was lost/);
      await expectOneApplier(database, successor);
    });
  });
});
