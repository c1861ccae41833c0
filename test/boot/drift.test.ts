import { describe, expect, test } from 'vitest';
import { waitUntilRuns } from '../support/boot.js';
import { makeProject, moduleOf, type Project } from './project.js';

/** A service at head; the schema is changed by hand; a migration comes. */
async function changedByHand(sql: string): Promise<Project> {
  const project = await makeProject('01_a.js');
  await project.boot();
  await project.database.query(sql);
  await project.write('02_b.js');
  return project;
}

const byHand = 'alter table "t_01_a" add column extra text; create table hotfix (id int)';
const rule = 'schema-drift';

describe('a schema that was changed by hand between two runs', () => {
  test('is said before the next migration, each change by name, and what is there now is what the next run expects', async () => {
    const project = await changedByHand(byHand);
    const outcome = await project.boot();
    expect(outcome).toMatchObject({ status: 'migrated', applied: [{ name: '02_b.js' }] });
    expect(outcome.findings.filter(({ code }) => code === rule)).toEqual([
      {
        code: rule,
        level: 'warn',
        message: 'the schema is not as the last run left it: column public.t_01_a.extra was added; table public.hotfix was added',
        remedy: 'Undo what was changed by hand, or write a migration for it.',
      },
    ]);
    await project.write('03_c.js');
    expect(await project.ending()).toBe('migrated');
  });
  test('is refused at the level error, before anything was changed', async () => {
    const project = await changedByHand(byHand);
    const error = await project.fail({ rules: { [rule]: 'error' } });
    expect(error).toMatchObject({ code: 'EM_CHECK_FAILED', message: expect.stringContaining('table public.hotfix was added') as string });
    expect(await project.ran()).toEqual(['01_a']);
    await project.database.query('drop table hotfix; alter table "t_01_a" drop column extra');
    expect(await project.ending({ rules: { [rule]: 'error' } })).toBe('migrated');
  });
  test('is not looked for at the level off, and then nothing is remembered', async () => {
    const project = await changedByHand(byHand);
    expect(await project.ending({ rules: { [rule]: 'off' } })).toBe('migrated');
    expect(await project.database.query(`select from knex_migrations_journal where kind = 'schema'`)).toHaveLength(1);
  });
  test.each([
    [['public.t_01_a', 'public.hotfix'], 'migrated'],
    [['public.t_01_a.extra', 'public.hotfix'], 'migrated'],
    [['public.hotfix'], `EM_CHECK_FAILED ${rule}:error`],
  ])('passes where %j is excepted: %s', async (except, ending) => {
    const project = await changedByHand(byHand);
    expect(await project.ending({ rules: { [rule]: { level: 'error', except } } })).toBe(ending);
  });
  test('a pattern excepts what it matches, as it does for the verb', async () => {
    const project = await changedByHand(byHand);
    const except = ['public.hot*', '*.extra'];
    expect(await project.ending({ rules: { [rule]: { level: 'error', except } } })).toBe('migrated');
  });
});

describe('a boot that is in sync', () => {
  const rules = { [rule]: 'error' } as const;
  const modes = ['apply', 'verify', 'wait'] as const;
  const inSync = async (): Promise<Project> => {
    const project = await makeProject('01_a.js');
    await project.boot();
    return project;
  };

  test('names what was altered by hand, and refuses at the level error, in each mode, until it is undone; it writes nothing', async () => {
    const project = await inSync();
    await project.database.query('alter table "t_01_a" alter id type bigint');
    const before = await project.contents();
    for (const mode of modes) {
      expect(await project.boot({ mode })).toMatchObject({
        status: 'in-sync',
        findings: [
          { code: rule, level: 'warn', message: expect.stringContaining('column public.t_01_a.id was changed: was `integer`') as string },
        ],
      });
      expect(await project.ending({ mode, rules })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
    }
    expect(await project.contents()).toEqual(before);
    await project.database.query('alter table "t_01_a" alter id type int');
    for (const mode of modes) expect(await project.ending({ mode, rules })).toBe('in-sync');
  });
  test('finds nothing in what is written to the catalogs without a change, nor with the rule off', async () => {
    const project = await inSync();
    await project.database.query('alter table "t_01_a" add again int');
    expect(await project.ending({ rules: { [rule]: 'off' } })).toBe('in-sync');
    await project.database.query('alter table "t_01_a" drop again');
    expect(await project.ending({ rules })).toBe('in-sync');
  });
  test('is told of kinds of objects that are rare, of a role that is named anew, and of indexes that changed their names with each other', async () => {
    const project = await inSync();
    const role = await project.database.createRole();
    await project.database.query(
      `create table pair (a int, b int); create statistics s (dependencies) on a, b from pair; grant select on "t_01_a" to ${role.name}`,
    );
    expect(await project.ending({ rules })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
    await project.write('02_b.js');
    expect(await project.ending()).toBe(`migrated ${rule}:warn`);
    await project.database.query('alter statistics s set statistics 7');
    expect(await project.ending({ rules })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
    await project.database.query(`alter statistics s set statistics -1; alter role ${role.name} rename to ${role.name}_x`);
    expect(await project.ending({ rules })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
    await project.database.query(`alter role ${role.name}_x rename to ${role.name}`);
    expect(await project.ending({ rules })).toBe('in-sync');
    await project.database.query('create index i1 on pair (a); create index i2 on pair (b)');
    await project.write('03_c.js');
    expect(await project.ending()).toBe(`migrated ${rule}:warn`);
    await project.database.query('truncate pair; alter index i1 rename to i3; alter index i2 rename to i1; alter index i3 rename to i2');
    expect(await project.ending({ rules })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
  });
  test('is told by a role that may only read the history and the journal', async () => {
    const project = await inSync();
    const role = await project.database.createRole();
    await project.database.query(`grant select on knex_migrations, knex_migrations_lock, knex_migrations_journal to ${role.name}`);
    await project.database.query(byHand);
    expect(await project.ending({ rules, connection: role.url, mode: 'verify' })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
  });
  test('is told by a role that may not take a glance at the catalogs', async () => {
    const project = await inSync();
    const role = await project.database.createRole();
    await project.database.query('revoke execute on function pg_catalog.ts_stat(text) from public');
    await project.database.query(`grant select on knex_migrations, knex_migrations_lock, knex_migrations_journal to ${role.name}`);
    expect(await project.ending({ rules, connection: role.url, mode: 'verify' })).toBe('in-sync');
    await project.database.query(byHand);
    expect(await project.ending({ rules, connection: role.url, mode: 'verify' })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
  });
  test('is told where the run could take no glance', async () => {
    const project = await makeProject('01_a.js');
    const role = await project.database.createRole();
    await project.database.query(
      `revoke execute on function pg_catalog.ts_stat(text) from public; grant create on schema public to ${role.name}`,
    );
    expect(await project.ending({ connection: role.url })).toBe('migrated');
    expect(project.events.filter(({ event }) => event === 'drift.skipped')).toEqual([]);
    expect(await project.ending({ rules })).toBe('in-sync');
    await project.database.query(byHand);
    expect(await project.ending({ rules, connection: role.url })).toBe(`EM_OUT_OF_SYNC ${rule}:error`);
  });
  test.each([
    ['denied', (role: string) => [`revoke select on pg_catalog.pg_policy from public`, `select '${role}'`]],
    ['locked', (role: string) => [`alter role ${role} set lock_timeout = '50ms'`, 'begin; lock table pg_catalog.pg_policy']],
  ])('says nothing where a catalog is %s', async (_, toHide) => {
    const project = await inSync();
    const role = await project.database.createRole();
    await project.database.query(`grant select on knex_migrations, knex_migrations_journal to ${role.name}`);
    await project.database.query(byHand);
    const other = await project.database.connect();
    for (const statement of toHide(role.name)) await other.query(statement);
    expect(await project.ending({ rules, connection: role.url })).toBe('in-sync');
    await other.end();
  });
  test('says nothing of the half-done work of a run that has begun since it looked at the history', async () => {
    const project = await inSync();
    await project.database.query('create view v as select id from "t_01_a"');
    const other = await project.database.connect();
    await other.query('begin; lock table "t_01_a" in access exclusive mode');
    const looking = project.ending({ rules });
    await waitUntilRuns(project.database, 'with saved as materialized'); // and waits for the table
    await other.query(`insert into knex_migrations (name, batch, migration_time) values ('02_b.js', 2, now()); commit`);
    expect(await looking).toBe('in-sync');
    expect(project.events.filter(({ event }) => event === 'drift.skipped')).toEqual([]);
    expect(await project.history()).toEqual(['01_a.js', '02_b.js']);
  });
  test('pending migrations are another answer, in the modes that do not write', async () => {
    const project = await changedByHand(byHand);
    expect(await project.ending({ rules, mode: 'verify' })).toBe('EM_OUT_OF_SYNC history-pending:error');
    expect(await project.ending({ rules, mode: 'wait', timeouts: { lockMs: 1 } })).toBe('EM_WAIT_TIMEOUT');
    expect(await project.ending({ rules, mode: 'off' })).toBe('off');
    expect(await project.ending({ rules })).toBe(`EM_CHECK_FAILED ${rule}:error`);
  });
});

describe('it is no drift', () => {
  const rules = { [rule]: 'error' } as const;

  test('when knex itself has migrated or rolled back since', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js');
    const knex = project.knex();
    await knex.migrate.latest();
    await project.write('03_c.js');
    expect(await project.ending({ rules })).toBe('migrated');
    await knex.migrate.rollback();
    expect(await project.ending({ rules })).toBe('migrated');
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c', 'down 03_c', '03_c']);
  });
  test('what a run has done before it failed; but what was made by hand since is', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js', { '03_c.js': moduleOf('03_c.js', { sql: ['insert into not_yet default values'] }) });
    expect((await project.fail({ rules })).code).toBe('EM_MIGRATION_FAILED');
    expect((await project.fail({ rules })).code).toBe('EM_MIGRATION_FAILED');
    await project.database.query('create table not_yet ()');
    const { code, findings } = await project.fail({ rules });
    expect([code, findings.filter((finding) => finding.code === rule).map(({ message }) => message)]).toEqual([
      'EM_CHECK_FAILED',
      ['the schema is not as the last run left it: table public.not_yet was added'],
    ]);
    expect(await project.history()).toEqual(['01_a.js', '02_b.js']);
    expect(await project.ending()).toBe(`migrated ${rule}:warn`);
    expect(await project.ending({ rules })).toBe('in-sync');
  });
  test('when another history has come into the database', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    const other = await makeProject('01_z.js');
    await other.boot({ connection: project.database.url, migrations: { directory: other.directory, tableName: 'other_migrations' } });
    await project.write('02_b.js');
    expect(await project.ending({ rules })).toBe('migrated');
    expect(await project.ending({ rules })).toBe('in-sync');
  });
});

test('a schema that cannot be read within a second keeps nobody from booting', async () => {
  const project = await makeProject({ '01_a.js': moduleOf('01_a.js', { sql: ['create view v as select * from "t_01_a"'] }) });
  await project.boot();
  await project.database.query(byHand);
  await project.write('02_b.js');
  const rewriting = await project.database.connect();
  await rewriting.query('begin; lock table "t_01_a" in access exclusive mode');
  expect(await project.ending()).toBe('migrated');
  expect(project.events.filter(({ event }) => event === 'drift.skipped')).toMatchObject([
    { reason: expect.stringContaining('lock timeout') as string },
    {},
  ]);
  await rewriting.query('rollback');
});
