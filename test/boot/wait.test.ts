import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { poll } from '../support/boot.js';
import { breaking, makeProject, moduleOf, type Project } from './project.js';

/** A role that may read the history, and nothing else. */
async function readerOf({ database }: Project): Promise<string> {
  const { name, url } = await database.createRole();
  await database.query(
    `alter role "${name}" set default_transaction_read_only = on;
     grant select on knex_migrations, knex_migrations_lock, knex_migrations_journal to "${name}"`,
  );
  return url;
}

async function waitUntilHeard(project: Project, name: string): Promise<void> {
  await poll(async () => project.events.find(({ event }) => event === name));
}

async function setOwner({ database }: Project, state: 'active' | 'clear', run = 'r1'): Promise<void> {
  await database.query(
    `update knex_migrations_journal set detail = detail || jsonb_build_object('state', $1::text, 'note', $2::text) where kind = 'owner'`,
    [state, run],
  );
}

describe('mode wait', () => {
  test('goes on as soon as another process has migrated, and writes nothing', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write({ '02_b.js': moduleOf('02_b.js', { sql: ['lock table gate'] }) });
    await project.database.query('create table gate ()');
    const gate = await project.database.connect();
    await gate.query('begin; lock table gate');
    const waiting = project.boot({ mode: 'wait', connection: await readerOf(project) });
    await waitUntilHeard(project, 'lock.waiting');
    const migrating = project.boot({ rules: { 'schema-drift': 'off' } });
    await waitUntilHeard(project, 'step.started');
    expect(await Promise.race([waiting, sleep(700, 'still waiting')])).toBe('still waiting');
    await gate.query('rollback');
    await migrating;
    const migratedAt = performance.now();
    expect(await waiting).toMatchObject({ status: 'in-sync', to: '02_b.js', applied: [] });
    expect(performance.now() - migratedAt).toBeLessThan(1_500); // its poll is at most 500 ms apart
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });
  test('begins on an empty database, without making anything in it', async () => {
    const project = await makeProject('01_a.js');
    const { url } = await project.database.createRole();
    await project.database.query('alter default privileges grant select on tables to public');
    const waiting = project.boot({ mode: 'wait', connection: url });
    await waitUntilHeard(project, 'lock.waiting');
    expect(await project.database.query(`select from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
    await project.boot();
    expect((await waiting).status).toBe('in-sync');
  });
  test('waits for the end of the run, not only for its last migration', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await setOwner(project, 'active');
    const waiting = project.boot({ mode: 'wait' });
    await waitUntilHeard(project, 'lock.waiting');
    expect(await Promise.race([waiting, sleep(700, 'still waiting')])).toBe('still waiting');
    await setOwner(project, 'clear');
    expect((await waiting).status).toBe('in-sync');
  });
  test('ends with EM_WAIT_TIMEOUT when nothing has moved for lockMs, and names what is not applied', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.knex().migrate.up();
    const error = await project.fail({ mode: 'wait', timeouts: { lockMs: 300 } });
    expect(error).toMatchObject({ code: 'EM_WAIT_TIMEOUT', retryable: true, exitCode: 75 });
    expect(error.message).toContain('nothing has moved for 300 ms; not applied: 02_b.js');
    expect(project.events.find(({ event }) => event === 'lock.waiting')).toMatchObject({ pendingCount: 1 });
  });
  test('counts lockMs from the last progress of the run', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await setOwner(project, 'active');
    const started = performance.now();
    const waiting = project.fail({ mode: 'wait', timeouts: { lockMs: 1_500 } });
    for (let step = 0; performance.now() - started < 2_500; step++) {
      await setOwner(project, 'active', String(step));
      await sleep(100);
    }
    expect((await waiting).code).toBe('EM_WAIT_TIMEOUT');
    expect(performance.now() - started).toBeGreaterThan(3_500);
  });
  test('ends at once for what waiting does not mend, also while it waits', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js');
    const waiting = project.fail({ mode: 'wait' });
    await waitUntilHeard(project, 'lock.waiting');
    await project.database.query(`insert into knex_migrations (name) values ('09_z.js')`);
    const error = await waiting;
    expect(error.code).toBe('EM_OUT_OF_SYNC');
    expect(error.findings.filter(({ level }) => level === 'error').map(({ code }) => code)).toEqual(['history-ahead']);
  });
});

describe('mode verify', () => {
  test('answers in every state with a role that can only read', async () => {
    const project = await makeProject('01_a.js', breaking('02_b.js'));
    await project.boot();
    const connection = await readerOf(project);
    const verify = async () => await project.ending({ mode: 'verify', connection });
    expect(await verify()).toBe('in-sync');
    await project.write('03_c.js');
    expect(await verify()).toBe('EM_OUT_OF_SYNC history-pending:error');
    await project.remove('03_c.js');
    await project.write({ '01_a.js': '// edited' });
    expect(await verify()).toBe('EM_OUT_OF_SYNC history-edited:error');
    await project.remove('01_a.js', '02_b.js');
    await project.write('00_z.js');
    expect(await verify()).toBe('EM_OUT_OF_SYNC history-pending:error history-ahead:error history-out-of-order:warn');
  });
  test('without the right to read the history says so', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    const { url } = await project.database.createRole();
    const error = await project.fail({ mode: 'verify', connection: url });
    expect(error).toMatchObject({
      code: 'EM_CHECK_FAILED',
      message: expect.stringContaining('permission denied for table knex_migrations') as string,
    });
  });
  test('without the right to read the journal knows of no edit, and of no compatible migration', async () => {
    const project = await makeProject('01_a.js', { '02_b.sql': '-- breaking: false\n' });
    await project.boot();
    const { name, url } = await project.database.createRole();
    await project.database.query(`grant select on knex_migrations to "${name}"`);
    const verify = async () => await project.ending({ mode: 'verify', connection: url });
    await project.write({ '01_a.js': '// edited' });
    expect(await verify()).toBe('in-sync');
    await project.remove('02_b.sql');
    expect(await verify()).toBe('EM_OUT_OF_SYNC history-ahead:error');
  });
});
