import type { Knex } from 'knex';
import { describe, expect, test } from 'vitest';
import { ensureMigrated, type Options } from '../../src/index.js';
import { poll } from '../support/boot.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { failureOf } from '../support/scene.js';
import { makeProject, moduleOf, type Files, type Project } from './project.js';

type Hooks = Partial<Record<'beforeAll' | 'afterAll', (knex: Knex, migrations: unknown[]) => unknown>>;
const failing = { '02_b.js': moduleOf('02_b.js', { sql: ['insert into not_yet default values'] }) };

/** Each hook makes a table, so that what stays of it shows. */
const makeTables = {
  beforeAll: async (knex: Knex) => void (await knex.schema.createTable('before_all', () => undefined)),
  afterAll: async (knex: Knex) => void (await knex.schema.createTable('after_all', () => undefined)),
};

async function tablesOf({ database }: Project): Promise<string[]> {
  const sql = `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '^knex' order by 1`;
  return (await database.query(sql)).map(({ relname }) => relname as string);
}

/** The knex project, and a way to boot it with hooks. */
async function hooked(options: Options, ...files: readonly Files[]) {
  const project = await makeProject(...files);
  const all = (hooks: Hooks, more: Options = {}) => ({ ...options, ...more, migrations: { directory: project.directory, ...hooks } });
  return {
    project,
    boot: async (hooks: Hooks, more?: Options) => await project.boot(all(hooks, more)),
    fail: async (hooks: Hooks, more?: Options) => await project.fail(all(hooks, more)),
  };
}

const one = { transaction: 'all' } as const;

describe("with one transaction for the set, as with knex, beforeAll and afterAll are called in it: transaction: 'all'", () => {
  test('they get its trx and all migrations', async () => {
    const called: unknown[] = [];
    const tell = (name: string) => (knex: Knex, migrations: unknown[]) => void called.push([name, knex.isTransaction, migrations.length]);
    const { boot } = await hooked(one, '01_a.js', '02_b.js');
    await boot({ beforeAll: tell('beforeAll'), afterAll: tell('afterAll') });
    expect(called).toEqual([
      ['beforeAll', true, 2],
      ['afterAll', true, 2],
    ]);
  });

  test('and one transaction holds what they do, around scripts too', async () => {
    const { project, boot } = await hooked(one, { '01_a.sql': 'create table a ();\n', '02_b.sql': 'create table b ();\n' });
    expect(await boot(makeTables)).toMatchObject({ status: 'migrated', applied: [{}, {}] });
    const rows = await project.database.query(
      `select distinct xmin::text from pg_class where relname in ('before_all', 'a', 'b', 'after_all')`,
    );
    expect(rows).toHaveLength(1);
    expect(await tablesOf(project)).toEqual(['a', 'after_all', 'b', 'before_all']);
    expect(await project.ending()).toBe('in-sync');
  });

  test('what beforeAll did is rolled back with the set', async () => {
    const { project, boot, fail } = await hooked(one, '01_a.js', failing);
    expect(await fail(makeTables)).toMatchObject({ code: 'EM_MIGRATION_FAILED', outcome: { applied: [] } });
    expect(await tablesOf(project)).toEqual([]);
    await project.database.query('create table not_yet ()');
    expect(await boot(makeTables, { rules: { 'history-unmanaged': 'off' } })).toMatchObject({ status: 'migrated' });
    expect(await tablesOf(project)).toEqual(['after_all', 'before_all', 'not_yet', 'ran', 't_01_a', 't_02_b']);
  });

  const throws = () => {
    throw new Error('the hook has had enough');
  };
  const swallows = async (knex: Knex) => void (await knex.raw('select * from nowhere').catch(() => undefined));

  test.each([
    ['beforeAll', 'throws', throws, /^the hook beforeAll threw: the hook has had enough/],
    ['afterAll', 'throws', throws, /^the hook afterAll threw: the hook has had enough/],
    ['beforeAll', 'swallows a failed statement', swallows, /^the hook beforeAll threw: relation "nowhere" does not exist/],
    ['afterAll', 'swallows a failed statement', swallows, /^the hook afterAll threw: relation "nowhere" does not exist/],
  ] as const)('%s that %s fails the boot by its name, and nothing is applied', async (name, _what, hook, message) => {
    const { project, fail } = await hooked(one, '01_a.js', '02_b.js');
    const error = await fail({ ...makeTables, [name]: hook });
    expect(error).toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      message: expect.stringMatching(message) as string,
      outcome: { applied: [] },
    });
    expect(await tablesOf(project)).toEqual([]);
    expect(await project.database.query(`select from knex_migrations_journal where kind = 'attempt'`)).toEqual([]);
    expect(await project.ending(one)).toBe('migrated');
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });

  test('afterAll that never ends is stalled by its name', async () => {
    const { project, fail } = await hooked(one, '01_a.js');
    const error = await fail({ afterAll: () => new Promise(() => undefined) }, { timeouts: { silenceMs: 300 } });
    expect(error.code).toBe('EM_MIGRATION_STALLED');
    expect(error.message).toContain('the hook afterAll has not sent a statement for 300 ms');
    expect(await tablesOf(project)).toEqual([]);
  });

  test('afterAll that commits the transaction leaves the set unfinished', async () => {
    const { project, fail } = await hooked(one, '01_a.js', '02_b.js');
    const error = await fail({ afterAll: (knex) => knex.raw('select 1; commit') });
    expect(error.code).toBe('EM_TRANSACTION_BROKEN');
    expect(error.message).toMatch(/^the hook afterAll: the migration committed a transaction by itself/);
    const next = await project.fail();
    expect(next).toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
    expect(next.message).toContain('01_a.js, 02_b.js');
  });

  test('beforeAll that must wait for a table is taken back and tried again with the set', async () => {
    const { project, boot } = await hooked(one, '01_a.js');
    await project.database.query('create table busy ()');
    const reader = await project.database.connect();
    await reader.query('begin; select from busy');
    const calls: string[] = [];
    const beforeAll = async (knex: Knex): Promise<void> => {
      calls.push('beforeAll');
      await knex.raw('alter table busy add column seen int');
    };
    const booting = boot({ beforeAll }, { timeouts: { harmMs: 50 }, rules: { 'history-unmanaged': 'off' } });
    await poll(
      async () =>
        (
          await project.database.query(
            `select from pg_locks where relation = 'busy'::regclass and mode <> 'AccessShareLock' and not granted`,
          )
        )[0],
    );
    await project.database.query('select from busy');
    await poll(() => Promise.resolve(project.events.find(({ event }) => event === 'step.retried')));
    await reader.query('commit');
    expect(await booting).toMatchObject({ status: 'migrated', applied: [{ name: '01_a.js' }] });
    expect(calls.length).toBeGreaterThan(1);
    expect(await project.ran()).toEqual(['01_a']);
  });
});

test("with transaction: 'each' they are called outside of any, and what beforeAll did stays when a migration fails", async () => {
  const { project, fail } = await hooked({}, '01_a.js', failing);
  await fail(makeTables);
  expect(await tablesOf(project)).toEqual(['before_all', 'ran', 't_01_a']);
});

describe("a hook outside of any transaction: transaction: 'each'", () => {
  test('that a signal stops is no fault of the hook, also when it hides the cancel', async () => {
    const { project, fail } = await hooked({}, '01_a.js');
    const stop = new AbortController();
    const beforeAll = async (knex: Knex): Promise<void> => {
      setTimeout(() => stop.abort(), 100);
      await knex.raw('select pg_sleep(300)').catch((cause: unknown) => Promise.reject(new Error('no luck', { cause })));
    };
    expect(await fail({ beforeAll }, { signal: stop.signal })).toMatchObject({ code: 'EM_ABORTED' });
    expect(await project.ending()).toBe('migrated');
  });

  test('that stands in the way of others is taken back, and its blockers are named', async () => {
    const { project, fail } = await hooked({}, '01_a.js');
    await project.database.query('create table busy ()');
    const reader = await project.database.connect();
    await reader.query(`set application_name = 'nightly report'; begin; select from busy`);
    const beforeAll = async (knex: Knex): Promise<void> => void (await knex.raw('alter table busy add column seen int'));
    const failing = fail({ beforeAll }, { timeouts: { harmMs: 50 }, rules: { 'history-unmanaged': 'off' } });
    await poll(
      async () =>
        (
          await project.database.query(
            `select from pg_locks where relation = 'busy'::regclass and mode <> 'AccessShareLock' and not granted`,
          )
        )[0],
    );
    await project.database.query('select from busy');
    const error = await failing;
    expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true });
    expect(error.message).toMatch(/^the hook beforeAll: a statement of it was taken back; blocked by pid \d+ \(.*nightly report/);
    await reader.query('commit');
    expect(await project.ending({ rules: { 'history-unmanaged': 'off' } })).toBe('migrated');
  });

  test('that nobody can watch does not wait for a lock without a bound', async () => {
    const { project, fail } = await hooked({}, '01_a.js');
    const role = await project.database.createRole('connection limit 1');
    await project.database.query(
      `create table busy (); alter table busy owner to ${role.name}; grant all on schema public to ${role.name}`,
    );
    const reader = await project.database.connect();
    await reader.query('begin; select from busy');
    const beforeAll = async (knex: Knex): Promise<void> => void (await knex.raw('alter table busy add column seen int'));
    const error = await fail({ beforeAll }, { connection: role.url, rules: { 'history-unmanaged': 'off' } });
    expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true });
    await reader.query('commit');
    expect(await project.ending({ connection: role.url, rules: { 'history-unmanaged': 'off' } })).toBe('migrated');
  });

  test('that fails is told with what it threw, and not with a statement that it had got over', async () => {
    const { fail } = await hooked({}, '01_a.js');
    const beforeAll = async (knex: Knex): Promise<void> => {
      await knex.raw('select * from nowhere').catch(() => undefined);
      throw new Error('the hook has had enough');
    };
    expect((await fail({ beforeAll })).message).toMatch(/^the hook beforeAll threw: the hook has had enough/);
  });

  test.each(['beforeAll', 'afterAll'] as const)('changes nothing in the session for what comes after it: %s', async (name) => {
    const setting = { sql: [`create table seen as select current_setting('search_path') as path, current_user::text as name`] };
    const { project, boot } = await hooked({}, { '01_a.js': moduleOf('01_a.js', setting) });
    const role = await project.database.createRole('');
    const hook = async (knex: Knex): Promise<void> => void (await knex.raw(`set search_path to pg_temp; set role ${role.name}`));
    expect(await boot({ [name]: hook })).toMatchObject({ status: 'migrated' });
    expect(await project.database.query('select * from seen')).toEqual([{ path: '"$user", public', name: 'postgres' }]);
    expect(await project.ending()).toBe('in-sync');
  });

  test('that fails as another role lets go all the same', async () => {
    const { project, fail } = await hooked({}, '01_a.js');
    const role = await project.database.createRole('');
    const afterAll = async (knex: Knex): Promise<void> => void (await knex.raw(`set role ${role.name}; select 1/0`));
    expect(await fail({ afterAll })).toMatchObject({ code: 'EM_MIGRATION_FAILED', outcome: { to: '01_a.js' } });
    expect(await project.database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('what beforeAll did is rolled back with the set, and stays with it', async () => {
    const project = await makeProject('01_a.js', failing);
    const pooler = await startPgBouncer(project.database.url);
    const options = {
      connection: pooler.urlOf(project.database.url),
      logger: false,
      migrations: { directory: project.directory, ...makeTables },
    } as const;
    expect(await failureOf(ensureMigrated(options))).toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await tablesOf(project)).toEqual([]);
    await project.database.query('create table not_yet ()');
    expect(await ensureMigrated({ ...options, rules: { 'history-unmanaged': 'off' } })).toMatchObject({
      status: 'migrated',
      applied: [{}, {}],
    });
    expect(await tablesOf(project)).toEqual(['after_all', 'before_all', 'not_yet', 'ran', 't_01_a', 't_02_b']);
  });
});
