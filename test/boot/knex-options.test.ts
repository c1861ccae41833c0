import path from 'node:path';
import createKnex, { type Knex } from 'knex';
import { describe, expect, test } from 'vitest';
import type { MigrationsInput } from '../../src/config/migrations.js';
import { afterFile } from '../support/cleanup.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase } from '../support/servers.js';
import { makeProject, moduleOf, type Project } from './project.js';

type HookLog = (readonly [hook: string, files: unknown[], inTransaction: boolean])[];

/** Hooks that write down how they were called; those around one migration also write into its transaction. */
function loggingHooks(log: HookLog): Pick<MigrationsInput, 'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll'> {
  const hook = (name: string) => async (knex: Knex, migrations: unknown[]) => {
    log.push([name, migrations, knex.isTransaction === true]);
    if (name.endsWith('Each')) await knex.raw(`select pg_advisory_xact_lock_shared(1)`); // nothing that stays
  };
  return { beforeAll: hook('beforeAll'), beforeEach: hook('beforeEach'), afterEach: hook('afterEach'), afterAll: hook('afterAll') };
}

async function schemasOf({ database }: Project, ...tables: readonly string[]): Promise<Record<string, string>> {
  const rows = await database.query(`select relname, relnamespace::regnamespace::text as schema from pg_class where relname = any ($1)`, [
    tables,
  ]);
  return Object.fromEntries(rows.map(({ relname, schema }) => [relname as string, schema as string]));
}

function knexWith(config: Knex.Config): Knex {
  const knex = createKnex({ client: 'pg', ...config });
  afterFile(async () => await knex.destroy());
  return knex;
}

describe('hooks', () => {
  test('are called in the order and with the arguments of knex', async () => {
    const [ours, theirs]: [HookLog, HookLog] = [[], []];
    const project = await makeProject('01_a.js', '02_b.js');
    await project.boot({ migrations: { directory: project.directory, ...loggingHooks(ours) } });
    const other = await createDatabase();
    const knex = knexWith({ connection: other.url, migrations: { directory: project.directory, ...loggingHooks(theirs) } });
    await knex.migrate.latest();
    const called = (log: HookLog) => log.map(([name, migrations]) => [name, migrations]);
    expect(called(ours)).toEqual(called(theirs));
    expect(ours.map(([name]) => name)).toEqual(['beforeAll', 'beforeEach', 'afterEach', 'beforeEach', 'afterEach', 'afterAll']);
    expect(ours.filter(([name]) => name.endsWith('Each')).map(([, , inTransaction]) => inTransaction)).toEqual([true, true, true, true]);
  });
  test('are not called when nothing is pending', async () => {
    const log: HookLog = [];
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.boot({ migrations: { directory: project.directory, ...loggingHooks(log) } });
    expect(log).toEqual([]);
  });
  test.each(['beforeEach', 'afterEach'] as const)('%s that throws rolls back the migration that it belongs to', async (name) => {
    const project = await makeProject('01_a.js', '02_b.js');
    const hook = (_knex: Knex, [migration]: unknown[]): void => {
      if ((migration as { file: string }).file === '02_b.js') throw new Error('the hook has had enough');
    };
    const error = await project.fail({ migrations: { directory: project.directory, [name]: hook } });
    expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', message: expect.stringContaining('the hook has had enough') as string });
    expect(await project.ran()).toEqual(['01_a']);
    expect(await project.ending()).toBe('migrated');
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });
  test.each([
    ['beforeAll', [], 'migrated'],
    ['afterAll', ['01_a'], 'in-sync'],
  ] as const)('%s that throws fails the boot by its name, and the next one goes on', async (name, ran, next) => {
    const project = await makeProject({ '00_ran.sql': 'create table ran (id int generated always as identity, name text);\n' });
    await project.boot();
    await project.write('01_a.js');
    const hook = (): void => {
      throw new Error('the hook has had enough');
    };
    const error = await project.fail({ migrations: { directory: project.directory, [name]: hook } });
    expect(error).toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      message: expect.stringContaining(`the hook ${name} threw: the hook has had enough`) as string,
    });
    expect(await project.ran()).toEqual(ran);
    expect(await project.ending()).toBe(next);
    expect(await project.ran()).toEqual(['01_a']);
  });
  test('write into the transaction of their migration, with scripts too', async () => {
    const project = await makeProject('01_a.js', { '02_b.sql': 'create table t_02_b ();\n' });
    const afterEach = async (knex: Knex, [migration]: unknown[]): Promise<void> => {
      await knex('ran').insert({ name: `after ${(migration as { file: string }).file}` });
    };
    await project.boot({ migrations: { directory: project.directory, afterEach } });
    expect(await project.ran()).toEqual(['01_a', 'after 01_a.js', 'after 02_b.sql']);
  });
});

describe('directories', () => {
  test.each([
    [false, ['10_a.js', '20_c.js', '30_b.js']],
    [true, ['10_a.js', '30_b.js', '20_c.js']],
  ])('several, with sortDirsSeparately %s, run in the order of knex', async (sortDirsSeparately, order) => {
    const project = await makeProject('10_a.js', '30_b.js');
    const second = await makeDirectory({ '20_c.js': moduleOf('20_c.js') });
    const migrations = { directory: [project.directory, second], sortDirsSeparately };
    expect(await project.ending({ migrations })).toBe('migrated');
    expect(await project.history()).toEqual(order);
    expect(await knexWith({ connection: project.database.url, migrations }).migrate.list()).toEqual([order.map((name) => ({ name })), []]);
  });
});

describe('disableTransactions', () => {
  const text = (file: string, config?: object) => ({
    [file]: moduleOf(file, { sql: [`insert into ran (name) values (pg_current_xact_id()::text)`], ...(config && { config }) }),
  });
  test('runs each statement by itself, but for a migration that says otherwise', async () => {
    const project = await makeProject(text('01_a.js'), text('02_b.js', { transaction: true }));
    await project.boot({ migrations: { directory: project.directory, disableTransactions: true } });
    const rows = await project.database.query(`select name, xmin::text as written from ran where name !~ '_' order by id`);
    const starts = await project.database.query(`select name, xmin::text as written from ran where name ~ '_' order by id`);
    expect(starts.map(({ written }, index) => written === rows[index]?.['written'])).toEqual([false, true]);
    expect(await project.ending()).toBe('in-sync');
  });
});

describe('the history table', () => {
  test('stands where schemaName and tableName say, quoted, and knex finds it there', async () => {
    const project = await makeProject('01_a.js');
    await project.database.query('create schema "Meta data"');
    const migrations = { directory: project.directory, schemaName: 'Meta data', tableName: 'Schema "History"' };
    expect(await project.ending({ migrations })).toBe('migrated');
    expect(await schemasOf(project, 'Schema "History"', 'Schema "History"_lock', 'Schema "History"_journal', 't_01_a')).toEqual({
      'Schema "History"': '"Meta data"',
      'Schema "History"_lock': '"Meta data"',
      'Schema "History"_journal': '"Meta data"',
      t_01_a: 'public',
    });
    expect(await project.ending({ migrations })).toBe('in-sync');
    expect(
      await knexWith({ connection: project.database.url, migrations: { ...migrations, tableName: 'plain' } }).migrate.list(),
    ).toMatchObject([[], [{}]]);
  });
  test('in a schema that does not exist is refused with the statement that makes it', async () => {
    const project = await makeProject('01_a.js');
    const error = await project.fail({ migrations: { directory: project.directory, schemaName: 'later' } });
    expect(error).toMatchObject({
      code: 'EM_CHECK_FAILED',
      message: expect.stringContaining('create schema "later" authorization') as string,
    });
    expect(await project.database.query(`select from pg_namespace where nspname = 'later'`)).toEqual([]);
  });
});

describe('{ knex }', () => {
  test('gives its connection and its migrations configuration, and keeps its pool untouched', async () => {
    const project = await makeProject('01_a.js');
    const knex = project.knex({ migrations: { tableName: 'own_history' } });
    expect(await project.ending({ knex })).toBe('migrated');
    expect(await project.ending({ knex })).toBe('in-sync');
    expect(await knex.migrate.latest()).toEqual([1, []]);
    expect(await schemasOf(project, 'own_history')).toEqual({ own_history: 'public' });
    const pool = (knex.client as { pool: { numUsed(): number } }).pool;
    expect(pool.numUsed()).toBe(0);
  });
  test('with a searchPath migrates along it, and so does what comes after a migration that has changed it', async () => {
    const project = await makeProject({ '01_a.js': moduleOf('01_a.js', { sql: [`set search_path to public`] }) }, '02_b.js');
    await project.database.query('create schema app');
    const knex = project.knex({ searchPath: ['app', 'public'] });
    expect(await project.ending({ knex })).toBe('migrated');
    const expected = { t_01_a: 'app', t_02_b: 'app', knex_migrations: 'app', knex_migrations_lock: 'app', knex_migrations_journal: 'app' };
    expect(await schemasOf(project, ...Object.keys(expected))).toEqual(expected);
    expect(await project.ending({ knex })).toBe('in-sync');
    expect(await knex.migrate.latest()).toEqual([1, []]);
  });
  test('with pool.afterCreate migrates on a connection that it has seen: its settings and its role hold in each migration', async () => {
    const project = await makeProject('01_a.js', { ...{ '02_b.js': moduleOf('02_b.js', { config: { transaction: false } }) } }, '03_c.js');
    const owner = await project.database.createRole();
    await project.database.query(`create schema app authorization "${owner.name}"`);
    const afterCreate = (connection: { query(sql: string, done: (error?: Error) => void): void }, done: (error?: Error) => void) =>
      connection.query(`set search_path to app; set work_mem to '7MB'; set role "${owner.name}"`, done);
    const knex = project.knex({ pool: { afterCreate } });
    expect(await project.ending({ knex })).toBe('migrated');
    const rows = await project.database.query(
      `select relname, relowner::regrole::text as owner from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r' order by 1`,
    );
    const tables = ['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock', 'ran', 't_01_a', 't_02_b', 't_03_c'];
    expect(rows).toEqual(tables.map((relname) => ({ relname, owner: owner.name })));
    expect(await project.ending({ knex })).toBe('in-sync');
    expect(await knex.migrate.latest()).toEqual([1, []]);
  });
  test('keeps its wrapIdentifier and postProcessResponse in migrations, and out of the bookkeeping', async () => {
    const text = `exports.up = async (knex) => {
  await knex.schema.createTable('userAccounts', (table) => table.string('fullName'));
  const rows = await knex('userAccounts').insert({ fullName: 'Ada' }).returning('fullName');
  if (rows.seen !== true) throw new Error('postProcessResponse was not called');
};
exports.down = async (knex) => void (await knex.schema.dropTable('userAccounts'));
`;
    const project = await makeProject({ '01_a.js': text });
    const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const knex = project.knex({
      wrapIdentifier: (value, original) => original(snake(value)),
      postProcessResponse: (result: object) => Object.assign(result, { seen: true }),
      migrations: { tableName: 'ourHistory' },
    });
    expect(await project.ending({ knex })).toBe('migrated');
    expect(await schemasOf(project, 'user_accounts', 'ourHistory')).toEqual({ user_accounts: 'public', ourHistory: 'public' });
    expect(await project.ending({ knex })).toBe('in-sync');
    expect(await knex.migrate.latest()).toEqual([1, []]);
  });
  test('lies under the option migrations, key by key', async () => {
    const project = await makeProject('01_a.js');
    const knex = project.knex({ migrations: { directory: path.join(project.directory, 'nowhere'), tableName: 'own_history' } });
    expect(await project.ending({ knex, migrations: { directory: project.directory } })).toBe('migrated');
    expect(await schemasOf(project, 'own_history')).toEqual({ own_history: 'public' });
  });
});
