import { describe, expect, test } from 'vitest';
import { ensureMigrated, MigrationError, type Logger, type Options } from '../../src/index.js';
import { poll, waitUntilRuns } from '../support/boot.js';
import { runCode } from '../support/process.js';
import { createDatabase } from '../support/servers.js';
import { boot, expectHealed, first, migrationsOf } from './fixture.js';
import { makeProject, moduleOf } from './project.js';

const fail = (): never => {
  throw new Error('not listening');
};

describe('an observer that fails never fails the boot:', () => {
  const observers: Record<string, Options> = {
    'a logger that throws': { logger: { debug: fail, info: fail, warn: fail, error: fail } satisfies Logger },
    'an onProgress that throws': { onProgress: fail },
    'an onProgress that rejects': { onProgress: () => Promise.reject(new Error('not listening')) as unknown as void },
  };
  test.each(Object.entries(observers))('%s', async (_, options) => {
    const project = await makeProject('01_a.js');
    await expect(project.boot(options)).resolves.toMatchObject({ status: 'migrated' });
    expect(await project.ran()).toEqual(['01_a']);
  });

  test('nor does it end the process', async () => {
    const project = await makeProject('01_a.js');
    const code = `import { ensureMigrated } from 'ensure-migrated';
      await ensureMigrated({ migrations: process.env.MIGRATIONS, onProgress: async () => { throw new Error('not listening'); } });
      setTimeout(() => console.log('served'), 100);`;
    const exit = await runCode(code, { env: { DATABASE_URL: project.database.url, MIGRATIONS: project.directory } });
    expect(exit, exit.stderr).toMatchObject({ code: 0 });
    expect(exit.stdout).toContain('served');
    expect(exit.stderr).toContain('onProgress threw at boot.ready: not listening');
  });
});

describe('nothing waits for ever with the lock held:', () => {
  const timeouts = { silenceMs: 300 };
  const never = async (): Promise<void> => await new Promise(() => undefined);

  test.each(['beforeAll', 'afterAll'] as const)('%s that never resolves', async (name) => {
    const database = await createDatabase();
    const directory = await migrationsOf({});
    const options = { connection: database.url, migrations: { directory, [name]: never }, logger: false, timeouts } as const;
    await expect(ensureMigrated(options)).rejects.toMatchObject({
      code: 'EM_MIGRATION_STALLED',
      message: expect.stringContaining(`the hook ${name} has not sent a statement for 300 ms`) as string,
    });
    await expectHealed(database, directory, { history: [first] });
  });

  test('a migration whose top level awaits what never comes', async () => {
    const hangs = 'await new Promise(() => undefined);\nexport function up() {}\nexport function down() {}\n';
    const project = await makeProject('01_a.js', { '02_b.mjs': hangs });
    const error = await project.fail({ timeouts });
    expect(error).toMatchObject({ code: 'EM_MIGRATION_STALLED', message: expect.stringContaining('300 ms: 02_b.mjs') as string });
    await project.remove('02_b.mjs');
    await expect(project.boot()).resolves.toMatchObject({ status: 'migrated' });
    expect(await project.ran()).toEqual(['01_a']);
  });

  test.each([
    ['values that pg refuses to send', `values: 'x'`, 'values must be an array'],
    ['a value that cannot be sent', `values: [{ toPostgres() { throw new Error('no such value'); } }]`, 'no such value'],
  ])('%s', async (_, values, says) => {
    const body = `const connection = await knex.client.acquireConnection();
      await connection.query({ text: 'select $1', ${values} });`;
    const project = await makeProject('01_a.js', {
      '02_b.js': `exports.up = async (knex) => { ${body} };\nexports.down = async () => 0;\n`,
    });
    const error = await project.fail();
    expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', message: expect.stringContaining(says) as string });
    await project.write({ '03_c.js': moduleOf('03_c.js') });
    await project.remove('02_b.js');
    await expect(project.boot()).resolves.toMatchObject({ status: 'migrated' });
    expect(await project.ran()).toEqual(['01_a', '03_c']);
  });
});

test('a transaction that beforeAll leaves open is rolled back, not committed with the first migration', async () => {
  const database = await createDatabase();
  const directory = await migrationsOf({});
  const beforeAll = async (knex: { raw(sql: string): Promise<unknown> }) => await knex.raw('begin; create table stray (id int)');
  const options = { connection: database.url, migrations: { directory, beforeAll }, logger: false } as unknown as Options;
  await expect(ensureMigrated(options)).rejects.toMatchObject({ code: 'EM_TRANSACTION_BROKEN' });
  expect(await database.query(`select to_regclass('stray') as stray`)).toEqual([{ stray: null }]);
  await expectHealed(database, directory, { history: [first] });
});

test('a table name can hold what ends a dollar-quoted text', async () => {
  const database = await createDatabase();
  const migrations = { directory: await migrationsOf({}), tableName: 'a$claimed$b$possession$' };
  const options = { connection: database.url, migrations, logger: false } as const;
  await expect(ensureMigrated(options)).resolves.toMatchObject({ status: 'migrated' });
  await expect(ensureMigrated(options)).resolves.toMatchObject({ status: 'in-sync' });
});

test('a frozen error with a password in it is left out of the error that is thrown', () => {
  const frozen = Object.freeze(new Error('postgres://user:secret@host/db'));
  const error = new MigrationError('EM_INTERNAL', frozen.message, { cause: frozen });
  expect(error.cause).toBeUndefined();
  expect(error.message).toContain('postgres://user:***@host/db');
});

test('twenty calls at once listen to each signal once', async () => {
  const database = await createDatabase();
  const directory = await migrationsOf({});
  await boot(database, directory);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  const before = process.listenerCount('SIGTERM');
  const calls = Array.from({ length: 20 }, async () => await boot(database, directory));
  expect(process.listenerCount('SIGTERM')).toBe(before + 1);
  await Promise.all(calls);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  expect(process.listenerCount('SIGTERM')).toBe(before);
});

test('a statement that nobody can watch any more is taken back once, and sent again under a lock_timeout', async () => {
  const project = await makeProject('01_a.js');
  await project.boot();
  const { database } = project;
  const role = await database.createRole('connection limit 2');
  await database.query(`grant all on schema public to ${role.name}`);
  for (const table of ['ran', 't_01_a', 'knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal']) {
    await database.query(`alter table ${table} owner to ${role.name}`);
  }
  await project.write({ '02_b.js': moduleOf('02_b.js', { sql: ['alter table t_01_a add column title text'] }) });
  const analyst = await database.connect();
  await analyst.query('begin; select from t_01_a');
  const outcome = project.boot({ connection: role.url });
  await waitUntilRuns(database, 'alter table t_01_a');
  await database.query(`alter role ${role.name} connection limit 1`);
  await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%/watch' and datname = $1`, [
    database.name,
  ]);
  await poll(async () => await Promise.resolve(project.events.find(({ event }) => event === 'step.retried')));
  await analyst.query('commit');
  await analyst.end();
  await expect(outcome).resolves.toMatchObject({ status: 'migrated' });
  expect(await project.ran()).toEqual(['01_a', '02_b']);
});
