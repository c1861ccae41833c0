import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { poll, startBoot, waitUntilBlocked } from '../support/boot.js';
import { runKnex } from '../support/knex-cli.js';
import { makeProject, moduleOf, type Project } from './project.js';

/** A migration that cannot go on before the test opens the gate. */
function gated(file: string, config: object = {}): Record<string, string> {
  return { [file]: moduleOf(file, { sql: ['insert into gate default values'], config }) };
}

/** Closes the gate; `rollback` opens it. */
async function closeGate({ database }: Project): Promise<Client> {
  await database.query('create table if not exists gate ()');
  const gate = await database.connect();
  await gate.query('begin; lock table gate');
  return gate;
}

async function waitUntilHeard(project: Project, name: string): Promise<void> {
  await poll(async () => project.events.find(({ event }) => event === name));
}

async function waitUntilGateIsWaitedFor({ database }: Project): Promise<void> {
  await poll(
    async () =>
      (await database.query(`select from pg_locks where relation = 'gate'::regclass and mode = 'RowExclusiveLock' and not granted`))[0],
  );
}

async function lockRowsOf({ database }: Project): Promise<unknown[]> {
  return await database.query('select index, is_locked from knex_migrations_lock order by index');
}

async function unlock({ database, directory }: Project): Promise<void> {
  expect(await runKnex('migrate:unlock', { url: database.url, directory })).toMatchObject({ code: 0 });
}

/** Everything is applied, once, and both say so. */
async function expectAtHead(project: Project, ...names: readonly string[]): Promise<void> {
  expect(await project.ending()).toBe('in-sync');
  expect(await project.knex().migrate.latest()).toMatchObject([expect.any(Number), []]);
  expect(await project.ran()).toEqual(names);
  expect(await project.history()).toEqual(names.map((name) => `${name}.js`));
  expect(await lockRowsOf(project)).toMatchObject([{ is_locked: 0 }]);
}

const kinds = [
  ['in a transaction', {}],
  ['outside a transaction', { transaction: false }],
] as const;

describe("knex's own lock", () => {
  test('that a dead run of ours left set is reclaimed', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    const killAt = { event: 'step.applied', migration: '01_a.js' };
    await startBoot({ connection: project.database.url, directory: project.directory, killAt }).ended;
    expect(await lockRowsOf(project)).toEqual([{ index: 1, is_locked: 1 }]);
    await expect(project.knex().migrate.latest()).rejects.toThrow('Migration table is already locked');
    expect(await project.boot()).toMatchObject({ applied: [{ name: '02_b.js', batch: 2 }] });
    expect(project.events.filter(({ event }) => event === 'lock.reclaimed')).toHaveLength(1);
    await expectAtHead(project, '01_a', '02_b');
  });

  test('that somebody else has set after our dead run is theirs', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    const killAt = { event: 'step.applied', migration: '01_a.js' };
    await startBoot({ connection: project.database.url, directory: project.directory, killAt }).ended;
    await unlock(project);
    await project.database.query('update knex_migrations_lock set is_locked = 1');
    expect((await project.fail({ timeouts: { lockMs: 1 } })).code).toBe('EM_KNEX_LOCKED');
    await unlock(project);
    expect(await project.ending()).toBe('migrated');
    await expectAtHead(project, '01_a', '02_b');
  });

  test.each(kinds)('that a knex at work %s has set is waited for; then nothing is left to do', async (_how, config) => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write(gated('02_b.js', config));
    const gate = await closeGate(project);
    const theirs = project.knex().migrate.latest();
    await waitUntilGateIsWaitedFor(project);
    const ours = project.boot();
    await waitUntilHeard(project, 'lock.knex-waiting');
    await gate.query('rollback');
    expect(await theirs).toEqual([2, ['02_b.js']]);
    expect(await ours).toMatchObject({ status: 'in-sync', to: '02_b.js', applied: [] });
    expect(project.events.filter(({ event }) => event === 'lock.reclaimed')).toEqual([]);
    await expectAtHead(project, '01_a', '02_b');
  });

  test('that nobody frees is reported after lockMs with the sessions that are there and the exact command', async () => {
    const project = await makeProject('01_a.js');
    await project.knex().migrate.latest();
    await project.database.query('update knex_migrations_lock set is_locked = 1');
    expect(await project.ending()).toBe('in-sync'); // nothing is asked of the lock then
    await project.write('02_b.js');
    const other = await project.database.connect();
    await other.query(`set application_name = 'deploy-tool'`);
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
    const error = await project.fail({ timeouts: { lockMs: 700 } });
    expect(error).toMatchObject({ code: 'EM_KNEX_LOCKED', retryable: false, exitCode: 78 });
    expect(project.events.filter(({ event }) => event === 'lock.knex-waiting')).toHaveLength(1); // of two looks
    expect(error.message).toMatch(
      /^knex's own lock \("public"\."knex_migrations_lock"\.is_locked\) was set by somebody else and stayed set for \d+ ms/,
    );
    expect(error.message).toContain(`pid ${rows[0]?.pid} (deploy-tool, 127.0.0.1, idle)`);
    const [, command] = /`knex migrate:unlock`, or `(update [^`]+)`/.exec(error.remedy) ?? [];
    expect(await lockRowsOf(project)).toEqual([{ index: 1, is_locked: 1 }]);
    await project.database.query(command ?? '');
    expect(await project.ending()).toBe('migrated');
    await expectAtHead(project, '01_a', '02_b');
  });

  test('that a knex holds in its open transaction is reported after lockMs too', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write(gated('02_b.js'));
    const gate = await closeGate(project);
    const theirs = project.knex().migrate.latest();
    await waitUntilGateIsWaitedFor(project);
    const error = await project.fail({ timeouts: { lockMs: 700 } });
    expect(error.code).toBe('EM_KNEX_LOCKED');
    expect(error.message).toMatch(
      /, in a transaction that is still open: pid \d+ \(.*; (active|idle in transaction), in its transaction for /,
    );
    await gate.query('rollback');
    await theirs;
    await expectAtHead(project, '01_a', '02_b');
  });

  test.each([
    ['two rows', 'insert into knex_migrations_lock (is_locked) values (0)', [{ index: 1, is_locked: 0 }]],
    ['no row', 'delete from knex_migrations_lock', [{ index: 2, is_locked: 0 }]],
  ])('with %s is repaired: knex can migrate again', async (_what, sql, rows) => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.database.query(sql);
    await project.write('02_b.js');
    expect(await project.ending()).toBe('migrated');
    expect(await lockRowsOf(project)).toEqual(rows);
    await project.write('03_c.js');
    expect(await project.knex().migrate.latest()).toEqual([3, ['03_c.js']]);
    await expectAtHead(project, '01_a', '02_b', '03_c');
  });

  test('is set in tables that a knex is making at the same moment', async () => {
    const project = await makeProject('01_a.js');
    const knex = await project.database.connect();
    await knex.query(
      'begin; create table knex_migrations (id serial primary key, name varchar(255), batch integer, migration_time timestamptz)',
    );
    const ours = project.boot();
    await waitUntilBlocked(project.database);
    await knex.query('commit');
    expect((await ours).status).toBe('migrated');
    await expectAtHead(project, '01_a');
  });
});

describe('while we migrate', () => {
  test.each(kinds)('%s, a knex that is started refuses cleanly with MigrationLocked', async (_how, config) => {
    const project = await makeProject(gated('01_a.js', config));
    const gate = await closeGate(project);
    const ours = project.boot({ rules: { 'history-unmanaged': 'off' } });
    await waitUntilGateIsWaitedFor(project);
    const knex = project.knex();
    await expect(knex.migrate.latest()).rejects.toMatchObject({ name: 'MigrationLocked' });
    await expect(knex.migrate.rollback()).rejects.toMatchObject({ name: 'MigrationLocked' });
    await gate.query('rollback');
    expect((await ours).status).toBe('migrated');
    await expectAtHead(project, '01_a');
  });

  test('`knex migrate:unlock` is noticed: rolled back, and the next boot applies it once', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write(gated('02_b.js'), '03_c.js');
    const gate = await closeGate(project);
    const ours = project.fail();
    await waitUntilGateIsWaitedFor(project);
    await unlock(project);
    await gate.query('rollback');
    const error = await ours;
    expect(error.code).toBe('EM_LOCK_LOST');
    expect(error.message).toContain("02_b.js: knex's own lock was freed under us (`knex migrate:unlock`); rolled back");
    expect(await project.ran()).toEqual(['01_a']);
    expect(await project.boot()).toMatchObject({ applied: [{ name: '02_b.js' }, { name: '03_c.js' }] });
    await expectAtHead(project, '01_a', '02_b', '03_c');
  });

  test('`knex migrate:unlock` in the middle of one outside a transaction lets that one end, and no other begin', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write(gated('02_b.js', { transaction: false }), '03_c.js');
    const gate = await closeGate(project);
    const ours = project.fail();
    await waitUntilGateIsWaitedFor(project);
    await unlock(project);
    await gate.query('rollback');
    expect(await ours).toMatchObject({ code: 'EM_LOCK_LOST', message: expect.stringContaining('03_c.js: ') as string });
    expect(await project.ran()).toEqual(['01_a', '02_b']);
    expect(await project.ending()).toBe('migrated');
    await expectAtHead(project, '01_a', '02_b', '03_c');
  });

  test('a knex that has been let in by its unlock keeps its lock, and each migration runs once', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write(gated('02_b.js'), '03_c.js');
    const gate = await closeGate(project);
    const ours = project.fail();
    await waitUntilGateIsWaitedFor(project);
    await unlock(project);
    const theirs = project.knex().migrate.latest(); // waits for the table that we have made, and would make it after us
    expect((await ours).code).toBe('EM_LOCK_LOST'); // its wait is harm, for which our try is taken back; the next one sees the lock
    await gate.query('rollback');
    expect(await theirs).toEqual([2, ['02_b.js', '03_c.js']]);
    expect(await project.ending()).toBe('in-sync');
    await expectAtHead(project, '01_a', '02_b', '03_c');
  });
});
