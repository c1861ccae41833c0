import { describe, expect, test } from 'vitest';
import type { Options } from '../../src/index.js';
import { holdersOf, sessionsOf, startBoot, waitUntilRuns } from '../support/boot.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase } from '../support/servers.js';
import {
  boot,
  expectHealed,
  first,
  historyOf,
  migrationsOf,
  second,
  sleepsInServer,
  stallingScene,
  stopLimitMs,
  stopWith,
} from './fixture.js';

describe('told to stop while it waits', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('for the lock: ends by %s, and the holder goes on', async (signal) => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const holder = startBoot({ connection: database.url, directory }, { STALL: second });
    const { pid } = await waitUntilRuns(database, 'pg_sleep');
    const waiter = startBoot({ connection: database.url, directory });
    await waiter.waitForEvent('lock.waiting');
    await stopWith(signal, waiter);
    expect(await holdersOf(database)).toEqual([pid]);
    await stopWith('SIGTERM', holder);
  });

  test.each([
    ['refuses connections', 'refuse'],
    ['swallows everything', 'blackHole'],
  ] as const)('for a server that %s: ends by SIGTERM', async (_how, misbehave) => {
    const database = await createDatabase();
    const proxy = await startProxy(database.url);
    await proxy[misbehave]();
    const script = startBoot({ connection: proxy.urlOf(database.url), directory: await migrationsOf({}) });
    await (misbehave === 'refuse' ? script.waitForEvent('connect.waiting') : script.waitForEvent('boot.started'));
    await stopWith('SIGTERM', script);
  });

  test('for its turn in mode wait: ends by SIGTERM', async () => {
    const database = await createDatabase();
    const script = startBoot({ connection: database.url, directory: await migrationsOf({}), mode: 'wait' });
    await script.waitForEvent('lock.waiting');
    await stopWith('SIGTERM', script);
  });
});

describe('told to stop while somebody else lets it wait', () => {
  test('a session that has locked the history: ends by SIGTERM', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({});
    await boot(database, directory);
    const other = await database.connect();
    await other.query('begin; lock table knex_migrations in access exclusive mode');
    const script = startBoot({ connection: database.url, directory });
    await waitUntilRuns(database, 'knex_migrations');
    await stopWith('SIGTERM', script);
    await expect.poll(() => sessionsOf(database)).toEqual([]); // also in the server, where it waited for the lock
    await other.query('rollback');
  });

  const never = (): Promise<never> => new Promise(() => undefined);
  test.each<[string, string, (directory: string) => Options]>([
    ['credentials that never come', 'connect.started', () => ({ connection: never })],
    ['a check that never ends', 'check.started', () => ({ checks: [{ name: 'service', run: never }] })],
    ['a hook that never ends', 'apply.started', (directory) => ({ migrations: { directory, beforeAll: never } })],
  ])('%s: the call rejects, and its session is gone', async (_what, event, optionsFor) => {
    const database = await createDatabase();
    const directory = await migrationsOf({});
    const stop = new AbortController();
    const reached = new Promise<void>((resolve) => {
      const onProgress = ({ event: seen }: { event: string }) => seen === event && resolve();
      void boot(database, directory, { ...optionsFor(directory), signal: stop.signal, onProgress }).catch(
        (error: unknown) => (outcome = error),
      );
    });
    let outcome: unknown;
    await reached;
    const abortedAt = performance.now();
    stop.abort();
    await expect.poll(() => outcome, { timeout: 5_000, interval: 20 }).toMatchObject({ code: 'EM_ABORTED' });
    expect(performance.now() - abortedAt).toBeLessThan(stopLimitMs);
    await expect.poll(() => sessionsOf(database, 'with watchers')).toEqual([]);
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated' });
  });
});

describe('told to stop before it begins or when it is too late', () => {
  test('an AbortSignal that was aborted before the call: nothing is connected', async () => {
    const options = { migrations: await migrationsOf({}), signal: AbortSignal.abort() };
    await expect(boot({ url: 'postgres://localhost:1/nowhere' }, options.migrations, options)).rejects.toMatchObject({
      code: 'EM_ABORTED',
    });
  });

  test('while the COMMIT is on its way: what the server says counts', async () => {
    const { database, directory } = await stallingScene('');
    await boot(database, await migrationsOf({}));
    const proxy = await startProxy(database.url);
    const commit = proxy.hold(`insert into "public"."knex_migrations" `);
    const script = startBoot({ connection: proxy.urlOf(database.url), directory });
    await commit.reached;
    script.signal('SIGTERM');
    await expect.poll(() => proxy.counts().cancelRequests).toBe(1);
    commit.release();
    expect(await script.ended).toMatchObject({ signal: 'SIGTERM' });
    expect(await historyOf(database)).toEqual([first, second]);
    await expectHealed(database, directory, { history: [first, second] });
  });
});
