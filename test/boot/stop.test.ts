import { describe, expect, test } from 'vitest';
import { holdersOf, startBoot, startBootInShell, waitUntilAwaitsClient, waitUntilRuns } from '../support/boot.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import {
  boot,
  expectHealed,
  first,
  historyOf,
  indexOf,
  migrationsOf,
  ranIn,
  second,
  sleepsInCopy,
  sleepsInProcess,
  sleepsInServer,
  stallingScene,
  stopLimitMs,
  stopWith,
} from './fixture.js';

const buildsIndex = { transaction: false, statements: ['create index concurrently notes_title_idx on notes (title)'] };

async function expectUntouched(database: TestDatabase): Promise<void> {
  expect(await holdersOf(database)).toEqual([]);
  expect(await historyOf(database)).toEqual([first]);
  expect(await ranIn(database)).toEqual([first]);
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  expect(await database.query(`select from pg_attribute where attrelid = 'notes'::regclass and attname = 'author'`)).toEqual([]);
}

describe('told to stop in a transactional migration', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s: cancels its statement, rolls back, unlocks and ends by it', async (signal) => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const script = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    await stopWith(signal, script);
    await expectUntouched(database);
    await expectHealed(database, directory, { history: [first, second] });
  });

  test('that awaits something of its own: leaves it behind', async () => {
    const { database, directory } = await stallingScene(sleepsInProcess);
    const script = startBoot({ connection: database.url, directory }, { STALL: second });
    await script.waitForEvent('stalled');
    await stopWith('SIGTERM', script);
    await expectUntouched(database);
    await expectHealed(database, directory, { history: [first, second] });
  });

  test('inside COPY FROM STDIN, where the server hears no cancel: ends the stream', async () => {
    const { database, directory } = await stallingScene(sleepsInCopy);
    const script = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilAwaitsClient(database);
    await stopWith('SIGTERM', script);
    await expectUntouched(database);
    await expectHealed(database, directory, { history: [first, second] });
  });

  test('by the AbortSignal: rejects with EM_ABORTED and the reason, and the process lives on', async () => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const stop = new AbortController();
    process.env['STALL'] = second;
    const booting = boot(database, directory, { signal: stop.signal }).finally(() => delete process.env['STALL']);
    const outcome = booting.catch((error: unknown) => error);
    await waitUntilRuns(database, 'pg_sleep');
    const abortedAt = performance.now();
    stop.abort(new Error('the deployment was called off'));
    expect(await outcome).toMatchObject({ code: 'EM_ABORTED', exitCode: 143, cause: { message: 'the deployment was called off' } });
    expect(performance.now() - abortedAt).toBeLessThan(stopLimitMs);
    await expectUntouched(database);
    await expectHealed(database, directory, { history: [first, second] });
  });

  test('by who hears that it begins: a script, which travels with its COMMIT, is not sent', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ '02_second.sql': { statements: ['alter table notes add column author text'] } });
    const stop = new AbortController();
    const onProgress = (event: object): void => void ('step' in event && event.step === 2 && stop.abort());
    const outcome = boot(database, directory, { signal: stop.signal, onProgress }).catch((error: unknown) => error);
    expect(await outcome).toMatchObject({ code: 'EM_ABORTED', outcome: { to: first, applied: [{ name: first }] } });
    await expectUntouched(database);
    await expectHealed(database, directory, { history: [first, '02_second.sql'] });
  });

  test('ends with the code that a shell knows: 143', async () => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const script = startBootInShell({ connection: database.url, directory }, { STALL: second });
    const { pid } = await script.waitForEvent('service.started');
    await waitUntilRuns(database, 'pg_sleep');
    process.kill(Number(pid), 'SIGTERM');
    expect(await script.ended).toMatchObject({ code: 143 });
  });

  test('a process with a SIGTERM listener of its own is told by the error, and not ended by us', async () => {
    const { database, directory } = await stallingScene(sleepsInServer);
    const script = startBoot({ connection: database.url, directory, ownListener: true }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    script.signal('SIGTERM');
    await script.waitForEvent('service.sigterm');
    expect(await script.waitForEvent('service.failed')).toMatchObject({ code: 'EM_ABORTED' });
    expect(await script.ended).toMatchObject({ signal: null, code: 143 }); // the exit code that the service took from the error
    expect(script.events().filter(({ event }) => event === 'service.sigterm')).toHaveLength(1);
    await expectUntouched(database);
  });
});

describe('told to stop in a concurrent index build', () => {
  async function startBuild() {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: buildsIndex });
    await boot(database, await migrationsOf({}));
    const writer = await database.connect();
    await writer.query(`begin; insert into notes values (1, 'held')`);
    const script = startBoot({ connection: database.url, directory });
    const { pid } = await waitUntilRuns(database, 'create index concurrently');
    return { database, directory, writer, script, pid };
  }

  test('that an earlier boot had begun and lost: the third boot does it', async () => {
    const { database, directory, writer, script, pid } = await startBuild();
    await script.kill();
    await database.query('select pg_terminate_backend($1, 5000)', [pid]);
    await writer.query('commit');
    const proxy = await startProxy(database.url);
    const build = proxy.hold('create index concurrently notes_title_idx on notes (title)');
    const next = startBoot({ connection: proxy.urlOf(database.url), directory });
    await build.reached;
    await writer.query(`begin; insert into notes values (2, 'held')`);
    build.release();
    await waitUntilRuns(database, 'create index concurrently');
    await stopWith('SIGTERM', next);
    await writer.query('commit');
    await expectHealed(database, directory, { history: [first, second], ran: [first] });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('by %s: cancels the build without waiting, and the next boot does it again', async (signal) => {
    const { database, directory, writer, script } = await startBuild();
    await stopWith(signal, script);
    await expectUntouched(database);
    await writer.query('commit');
    await expectHealed(database, directory, { history: [first, second], ran: [first] });
    expect(await indexOf(database, 'notes_title_idx')).toMatchObject({ valid: true });
  });
});

test('told to stop in an ordinary statement outside a transaction: it is cancelled, and the next boot runs it', async () => {
  const { database, directory } = await stallingScene(sleepsInServer, 'outside');
  const script = startBoot({ connection: database.url, directory }, { STALL: second });
  await waitUntilRuns(database, 'pg_sleep');
  await stopWith('SIGTERM', script);
  await expectUntouched(database);
  expect(await lastStatus(database)).toBe('undone');
  await expectHealed(database, directory, { history: [first, second], ran: [first] });
});

test('told to stop inside COPY FROM STDIN outside a transaction: it is taken back, and a person decides', async () => {
  const { database, directory } = await stallingScene(sleepsInCopy, 'outside');
  const script = startBoot({ connection: database.url, directory }, { STALL: second });
  await waitUntilAwaitsClient(database);
  await stopWith('SIGTERM', script);
  await expectUntouched(database);
  await expect(boot(database, directory)).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
});

async function lastStatus(database: TestDatabase): Promise<unknown> {
  const [row] = await database.query(
    `select detail ->> 'status' as status from knex_migrations_journal where kind = 'attempt' order by id desc`,
  );
  return row?.['status'];
}
