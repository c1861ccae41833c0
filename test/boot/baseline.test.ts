import { describe, expect, test } from 'vitest';
import { makeProject, moduleOf, type Project } from './project.js';

/** A database as somebody made it by hand, and code whose first two migrations would make it. */
async function madeByHand(): Promise<Project> {
  const project = await makeProject('01_a.js', '02_b.js', '03_c.js');
  await project.database.query('create table "t_01_a" (id int); create table "t_02_b" (id int)');
  return project;
}

async function tablesOf({ database }: Project): Promise<string[]> {
  const rows = await database.query(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
  );
  return rows.map(({ relname }) => relname as string);
}

describe('a database that has tables and no history', () => {
  test('is refused in every mode with both ways out, and nothing is made in it', async () => {
    const project = await madeByHand();
    const rule = 'history-unmanaged';
    const expected = {
      verify: `EM_OUT_OF_SYNC history-pending:error ${rule}:error`,
      wait: 'EM_WAIT_TIMEOUT', // it may be about to be migrated
      off: 'off',
      apply: `EM_OUT_OF_SYNC ${rule}:error`,
      [`verify ${rule} off`]: 'EM_OUT_OF_SYNC history-pending:error',
    };
    expect(await project.endings(...Object.keys(expected))).toEqual(expected);
    expect((await project.fail()).findings).toEqual([
      {
        code: rule,
        level: 'error',
        message: 'the database has tables, but no history: t_01_a, t_02_b',
        remedy: "Point the connection at the right database, or adopt this one with `baseline: 'the revision that it stands at'`.",
      },
    ]);
    expect(await tablesOf(project)).toEqual(['t_01_a', 't_02_b']);
  });
  test.each([['warn'], ['off'], [{ level: 'error', except: ['legacy'] }]] as const)('is migrated from the start at %j', async (setting) => {
    const project = await makeProject('01_a.js');
    await project.database.query('create table legacy ()');
    const warned = setting === 'warn' ? ' history-unmanaged:warn' : '';
    expect(await project.ending({ rules: { 'history-unmanaged': setting } })).toBe(`migrated${warned}`);
    expect(await project.ending()).toBe('in-sync');
  });
  test('is none by what an extension owns, or what stands in another schema', async () => {
    const project = await makeProject('01_a.js');
    await project.database.query(
      'create table owned (); alter extension plpgsql add table owned; create schema other; create table other.things ()',
    );
    expect(await project.ending()).toBe('migrated');
  });
  test('is none by what another history accounts for', async () => {
    const [first, second] = [await makeProject('01_a.js'), await makeProject('01_z.js')];
    expect(await first.ending({ migrations: { directory: first.directory, tableName: 'first_migrations' } })).toBe('migrated');
    expect(await second.ending({ connection: first.database.url })).toBe('migrated');
  });
});

describe('with a baseline', () => {
  test('what stands up to it is recorded without running, without a batch, and the rest runs', async () => {
    const project = await madeByHand();
    const outcome = await project.boot({ baseline: '02_b' });
    expect(outcome).toMatchObject({
      status: 'migrated',
      from: undefined,
      to: '03_c.js',
      applied: [{ name: '03_c.js', batch: 1 }],
      findings: [],
    });
    expect(await project.database.query('select name, batch from knex_migrations order by id')).toEqual([
      { name: '01_a.js', batch: null },
      { name: '02_b.js', batch: null },
      { name: '03_c.js', batch: 1 },
    ]);
    expect(await project.ran()).toEqual(['03_c']);
    const stamps = await project.database.query(
      `select migration, detail ->> 'breaking' as breaking from knex_migrations_journal where kind = 'stamp' order by id`,
    );
    expect(stamps).toEqual([
      { migration: '01_a.js', breaking: 'true' },
      { migration: '02_b.js', breaking: 'true' },
    ]);
    expect(await project.endings('apply', 'verify', 'wait')).toEqual({ apply: 'in-sync', verify: 'in-sync', wait: 'in-sync' });
  });
  test('it may stay in the options: later boots and later migrations are as ever, and an edit of what was stamped is seen', async () => {
    const project = await madeByHand();
    await project.boot({ baseline: '02_b' });
    await project.write('04_d.js');
    expect(await project.boot({ baseline: '02_b' })).toMatchObject({ applied: [{ name: '04_d.js', batch: 2 }] });
    await project.write({ '01_a.js': '// edited\n' });
    expect(await project.ending({ baseline: '02_b' })).toBe('EM_OUT_OF_SYNC history-edited:error');
  });
  test.each(['each', 'all'] as const)('at head nothing runs, not even a hook (transaction: %s)', async (transaction) => {
    const project = await madeByHand();
    const called: string[] = [];
    const hook = (name: string) => () => void called.push(name);
    const hooks = {
      beforeAll: hook('beforeAll'),
      beforeEach: hook('beforeEach'),
      afterEach: hook('afterEach'),
      afterAll: hook('afterAll'),
    };
    const outcome = await project.boot({ baseline: '03_c.js', transaction, migrations: { directory: project.directory, ...hooks } });
    expect(outcome).toMatchObject({ status: 'migrated', to: '03_c.js', applied: [] });
    expect(called).toEqual([]);
    expect(await project.history()).toEqual(['01_a.js', '02_b.js', '03_c.js']);
    expect(await project.endings('apply', 'verify')).toEqual({ apply: 'in-sync', verify: 'in-sync' });
  });
  test('an empty database runs everything, and so does one where knex has only made its tables when it has no others', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    expect(await project.boot({ baseline: '02_b' })).toMatchObject({ applied: [{ name: '01_a.js' }, { name: '02_b.js' }] });
    const touched = await makeProject('01_a.js');
    await touched.knex().migrate.list(); // makes the tables
    expect(await touched.boot({ baseline: '01_a' })).toMatchObject({ applied: [{ name: '01_a.js' }] });
  });
  test('the empty history that knex has made beside the tables is filled', async () => {
    const project = await madeByHand();
    await project.knex().migrate.list();
    expect(await project.boot({ baseline: '02_b' })).toMatchObject({ applied: [{ name: '03_c.js' }] });
  });
  test.each([
    ['09', `baseline '09' names no migration`],
    ['0', `baseline '0' names several migrations (01_a.js, 02_b.js, 03_c.js)`],
  ])('%s, which does not name one migration, is refused, and nothing is made', async (baseline, sentence) => {
    const project = await madeByHand();
    const error = await project.fail({ baseline });
    expect(error).toMatchObject({ code: 'EM_PLAN_REFUSED', message: expect.stringContaining(sentence) as string });
    expect(await tablesOf(project)).toEqual(['t_01_a', 't_02_b']);
  });
  test('a failure of what comes after it leaves it recorded, and the next boot goes on from there', async () => {
    const project = await madeByHand();
    await project.write({ '03_c.js': moduleOf('03_c.js', { sql: ['insert into not_yet default values'] }) });
    expect((await project.fail({ baseline: '02_b' })).code).toBe('EM_MIGRATION_FAILED');
    expect(await project.history()).toEqual(['01_a.js', '02_b.js']);
    await project.database.query('create table not_yet ()');
    expect(await project.ending({ baseline: '02_b' })).toBe('migrated');
    expect(await project.ending()).toBe('in-sync');
    expect(await project.ran()).toEqual(['03_c']);
  });
  test('knex beside us accepts the rows without a batch, and its rollback leaves them alone', async () => {
    const project = await madeByHand();
    await project.boot({ baseline: '02_b' });
    const knex = project.knex();
    expect(await knex.migrate.latest()).toEqual([1, []]);
    expect(await knex.migrate.rollback()).toEqual([1, ['03_c.js']]);
    expect(await knex.migrate.rollback()).toEqual([0, []]);
    expect(await project.history()).toEqual(['01_a.js', '02_b.js']);
    expect(await project.ending()).toBe('migrated');
  });
});
