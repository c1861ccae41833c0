import { describe, expect, test } from 'vitest';
import { withInput } from '../checks/fixture.js';
import { holdersOf, poll, startBoot, waitUntilAwaitsClient, waitUntilRuns } from '../support/boot.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase } from '../support/servers.js';
import {
  expectHealed,
  expectLost,
  expectOneApplier,
  first,
  goesOnAfter,
  second,
  sleepsInCopy,
  sleepsInServer,
  stallingScene,
} from './fixture.js';

const head = { history: [first, second] };

describe.concurrent('a network that swallows everything', () => {
  test.each([
    ['while the migration is busy elsewhere', goesOnAfter(20_000), 'stalled'],
    ['while a statement runs', `await knex.raw('select pg_sleep(3)'); await knex.raw('create table beside (id int)');`, 'pg_sleep'],
  ])(
    '%s, with the default lease: another is ready within 30 s, and the one that is cut off fails by itself',
    async (_when, stall, sign) => {
      const { database, directory } = await stallingScene(stall);
      const proxy = await startProxy(database.url);
      const victim = startBoot({ connection: proxy.urlOf(database.url), directory }, { STALL: second });
      await (sign === 'stalled' ? victim.waitForEvent(sign) : waitUntilRuns(database, sign));
      const successor = startBoot({ connection: database.url, directory });
      await successor.waitForEvent('lock.waiting');
      proxy.blackHole();
      const cutAt = Date.now();
      const { at } = await successor.waitForEvent('service.ready', 40_000);
      expect(Number(at) - cutAt).toBeLessThan(30_000);
      await expectLost(victim, /has not answered/);
      await expectOneApplier(database, successor);
    },
  );

  const timeouts = { leaseMs: 1_500, connectMs: 3_000 };

  test('while a statement runs, and the function that gives the connection with it: the session is given up all the same', async () => {
    const database = await createDatabase();
    const proxy = await startProxy(database.url);
    let [asked, cutAt] = [0, 0];
    const connection = async () =>
      await (asked++ === 0 ? Promise.resolve({ connectionString: proxy.urlOf(database.url) }) : new Promise<never>(() => undefined));
    const error = withInput(database.url, { connection, timeouts }, async ({ session }) => {
      const answer = session.query('select pg_sleep(60)');
      await waitUntilRuns(database, 'pg_sleep');
      proxy.blackHole();
      cutAt = performance.now();
      await answer;
    });
    await expect(error).rejects.toMatchObject({ code: 'EM_LOST_SESSION', message: expect.stringMatching(/has not answered/) as string });
    expect(asked).toBe(2);
    expect(performance.now() - cutAt).toBeLessThan(8_000);
  });

  test('while it waits for the lock: the process fails by itself', async () => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const holder = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    const proxy = await startProxy(database.url);
    const waiter = startBoot({ connection: proxy.urlOf(database.url), directory, timeouts });
    await waiter.waitForEvent('lock.waiting');
    proxy.blackHole();
    await expectLost(waiter, /has not answered/);
    await holder.kill();
    await expectHealed(database, directory, head);
  });

  test.each([
    ['reads the history', 'from "knex_migrations"'],
    ['takes the lock', 'pg_try_advisory_lock'],
    ['checks', 'pg_prepared_xacts'],
    ['claims the history', 'in exclusive mode'],
    ['begins a step', 'create table ran'],
    ['commits a step', 'insert into "public"."knex_migrations" '],
    ['lets go', 'pg_advisory_unlock'],
  ])('while it %s: the process fails by itself, and the next boot heals', async (_what, text) => {
    const { database, directory } = await stallingScene('');
    const proxy = await startProxy(database.url);
    const held = proxy.hold(text);
    const victim = startBoot({ connection: proxy.urlOf(database.url), directory, timeouts });
    await held.reached;
    proxy.blackHole();
    held.release();
    await expectLost(victim, /lost|has not answered/);
    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined), 5_000);
    await expectHealed(database, directory, head);
  });

  test('in the middle of a COPY FROM STDIN: the process fails by itself, and the next boot ends what the server keeps', async () => {
    const { database, directory } = await stallingScene(sleepsInCopy);
    const proxy = await startProxy(database.url);
    const victim = startBoot({ connection: proxy.urlOf(database.url), directory, timeouts }, { STALL: second });
    await waitUntilAwaitsClient(database);
    proxy.blackHole();
    await expectLost(victim, /has not answered/);
    await expectHealed(database, directory, { ...head, options: { timeouts } });
  });
});
