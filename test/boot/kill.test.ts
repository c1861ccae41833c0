import { describe, expect, test } from 'vitest';
import { holdersOf, poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { createDatabase } from '../support/servers.js';
import { boot, expectAtHead, expectHealed, first, historyOf, indexOf, migrationsOf, ranIn, sleepsInServer, second } from './fixture.js';

const third = '03_third.js';

const addsColumn = { statements: ['alter table notes add column author text'] };

async function columnsOfNotes(database: Awaited<ReturnType<typeof createDatabase>>): Promise<string[]> {
  const rows = await database.query(
    `select attname as name from pg_attribute where attrelid = 'notes'::regclass and attnum > 0 order by attnum`,
  );
  return rows.map(({ name }) => name as string);
}

describe('kill -9 in a transactional migration', () => {
  test('is rolled back, and a process that waits gets in within 3 s', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: { ...addsColumn, stall: sleepsInServer } });
    const victim = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    const waiter = startBoot({ connection: database.url, directory });
    await waiter.waitForEvent('lock.waiting');

    const killedAt = Date.now();
    await victim.kill();
    const { at } = await waiter.waitForEvent('lock.taken');
    expect(Number(at) - killedAt).toBeLessThan(3_000);

    const { outcome } = await waiter.waitForEvent('service.ready');
    expect(outcome).toMatchObject({ status: 'migrated', from: first, to: second, applied: [{ name: second }] });
    await expectAtHead(database, { history: [first, second] });
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('leaves nothing of it behind, and the next boot runs it once', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: { ...addsColumn, stall: sleepsInServer } });
    const victim = startBoot({ connection: database.url, directory }, { STALL: second });
    await waitUntilRuns(database, 'pg_sleep');
    await victim.kill();

    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined), 3_000);
    expect(await ranIn(database)).toEqual([first]);
    expect(await historyOf(database)).toEqual([first]);
    expect(await columnsOfNotes(database)).toEqual(['id', 'title']);

    expect(await expectHealed(database, directory, { history: [first, second] })).toMatchObject({
      from: first,
      applied: [{ name: second }],
    });
    expect(await columnsOfNotes(database)).toEqual(['id', 'title', 'author']);
  });
});

const buildsIndex = { transaction: false, statements: ['create index concurrently notes_title_idx on notes (title)'] };
const builtHead = { history: [first, second], ran: [first] };

describe('kill -9 in a concurrent index build', () => {
  // The build waits for a transaction that writes to the table, so it is held half-way for as long as the test likes.
  async function killInBuild() {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: buildsIndex });
    await boot(database, await migrationsOf({}));
    const writer = await database.connect();
    await writer.query(`begin; insert into notes values (1, 'held')`);
    const victim = startBoot({ connection: database.url, directory });
    const orphan = await waitUntilRuns(database, 'create index concurrently');
    const half = await poll(async () => await indexOf(database, 'notes_title_idx'));
    expect(half.valid).toBe(false);
    await victim.kill();
    return { database, directory, writer, orphan, half };
  }

  test('the server ends the orphaned build, and the next boot adopts the valid index', async () => {
    const { database, directory, writer, half } = await killInBuild();
    const next = startBoot({ connection: database.url, directory });
    await next.waitForEvent('lock.waiting'); // the orphan still holds the lock
    await writer.query('commit');
    const { statement } = await next.waitForEvent('step.adopted');
    expect(statement).toContain('notes_title_idx');
    await next.waitForEvent('service.ready');
    expect(await indexOf(database, 'notes_title_idx')).toEqual({ oid: half.oid, valid: true });
    await expectHealed(database, directory, builtHead);
  });

  test('a build that was ended half-way is dropped and done again by the next boot', async () => {
    const { database, directory, writer, orphan, half } = await killInBuild();
    await database.query('select pg_terminate_backend($1, 5000)', [orphan.pid]);
    expect(await indexOf(database, 'notes_title_idx')).toEqual({ oid: half.oid, valid: false });
    await writer.query('commit');
    await expectHealed(database, directory, builtHead);
    const index = await indexOf(database, 'notes_title_idx');
    expect(index).toMatchObject({ valid: true });
    expect(index!.oid).not.toBe(half.oid);
  });
});

describe('kill -9 at a point between', () => {
  test("two migrations of a set in one transaction (transaction: 'all'): none of the set stays, and the next boot runs it", async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: addsColumn, [third]: { statements: ['create table tags (id int)'] } });
    const victim = startBoot({ connection: database.url, directory, transaction: 'all', killAt: { afterBodyOf: second } });
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await historyOf(database)).toEqual([]);
    expect(await database.query(`select to_regclass('notes') as notes`)).toEqual([{ notes: null }]);
    await expectHealed(database, directory, { history: [first, second, third], options: { transaction: 'all' } });
  });

  test('two migrations: the next boot goes on with the second', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: addsColumn, [third]: { statements: ['create table tags (id int)'] } });
    const victim = startBoot({ connection: database.url, directory, killAt: { event: 'step.applied', migration: second } });
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await historyOf(database)).toEqual([first, second]);
    expect(await expectHealed(database, directory, { history: [first, second, third] })).toMatchObject({ applied: [{ name: third }] });
  });

  test('a change and its record: a transactional one is undone and runs once', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: addsColumn });
    const victim = startBoot({ connection: database.url, directory, killAt: { afterBodyOf: second } });
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await historyOf(database)).toEqual([first]);
    await expectHealed(database, directory, { history: [first, second] });
    expect(await columnsOfNotes(database)).toEqual(['id', 'title', 'author']);
  });

  test('a concurrent index build and its record: the index is adopted', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: buildsIndex });
    const victim = startBoot({ connection: database.url, directory, killAt: { afterBodyOf: second } });
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    const built = await indexOf(database, 'notes_title_idx');
    expect(built).toMatchObject({ valid: true });
    expect(await historyOf(database)).toEqual([first]);
    await expectHealed(database, directory, builtHead);
    expect(await indexOf(database, 'notes_title_idx')).toEqual(built);
  });

  test('the last record and the release: the next boot verifies and clears up', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: addsColumn });
    const victim = startBoot({ connection: database.url, directory, killAt: { event: 'step.applied', migration: second } });
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(await database.query(`select detail ->> 'state' as state from knex_migrations_journal where kind = 'owner'`)).toEqual([
      { state: 'active' },
    ]);
    expect(await expectHealed(database, directory, { history: [first, second] })).toMatchObject({ status: 'in-sync', applied: [] });
  });
});
