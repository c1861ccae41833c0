import { describe, expect, test } from 'vitest';
import { makeProject, moduleOf, type Project } from './project.js';

const failing = { '02_b.js': moduleOf('02_b.js', { sql: ['insert into not_yet default values'] }) };

async function tablesOf({ database }: Project): Promise<string[]> {
  const rows = await database.query(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
  );
  return rows.map(({ relname }) => relname as string);
}

const bookkeeping = ['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock'];

describe("transaction: 'all'", () => {
  const options = { transaction: 'all' } as const;

  test('applies the set in one transaction, and records each with its batch', async () => {
    const project = await makeProject('01_a.js', { '02_b.sql': 'create table t_02_b ();\n' }, '03_c.js');
    expect(await project.boot(options)).toMatchObject({ applied: [{ name: '01_a.js' }, { name: '02_b.sql' }, { name: '03_c.js' }] });
    expect(
      await project.database.query('select count(distinct xmin::text)::int as transactions, max(batch) as batch from knex_migrations'),
    ).toEqual([{ transactions: 1, batch: 1 }]);
    expect(await project.ending()).toBe('in-sync');
  });
  test('a failure leaves none of them, and the next boot applies all', async () => {
    const project = await makeProject('01_a.js', failing, '03_c.js');
    const error = await project.fail(options);
    expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', outcome: { status: 'failed', to: undefined, applied: [] } });
    expect(error.message).toContain('migration 02_b.js failed');
    expect(await tablesOf(project)).toEqual(bookkeeping);
    expect(await project.history()).toEqual([]);
    await project.database.query('create table not_yet ()');
    expect(await project.ending({ ...options, rules: { 'history-unmanaged': 'off' } })).toBe('migrated');
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c']);
    expect(await project.ending()).toBe('in-sync');
  });
  test('of scripts alone, too', async () => {
    const project = await makeProject({ '01_a.sql': 'create table t_01_a ();\n', '02_b.sql': 'insert into not_yet default values;\n' });
    expect((await project.fail(options)).code).toBe('EM_MIGRATION_FAILED');
    expect(await tablesOf(project)).toEqual(bookkeeping);
  });
  test('is refused before anything has run when one of them runs outside a transaction', async () => {
    const project = await makeProject('01_a.js', { '02_b.sql': '-- transaction: false\nselect 1;\n' });
    const error = await project.fail(options);
    expect(error).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('run outside a transaction: 02_b.sql') as string,
    });
    expect(await tablesOf(project)).toEqual([]);
    expect(await project.ending()).toBe('migrated');
  });
});

test("transaction: 'each': what came before the failure stays, with its record, and the next boot goes on behind it", async () => {
  const project = await makeProject('01_a.js', failing, '03_c.js');
  expect(await project.fail()).toMatchObject({
    code: 'EM_MIGRATION_FAILED',
    outcome: { status: 'failed', to: '01_a.js', applied: [{ name: '01_a.js' }] },
  });
  expect(await tablesOf(project)).toEqual([...bookkeeping, 'ran', 't_01_a']);
  expect(await project.history()).toEqual(['01_a.js']);
  await project.database.query('create table not_yet ()');
  expect(await project.boot()).toMatchObject({
    applied: [
      { name: '02_b.js', batch: 2 },
      { name: '03_c.js', batch: 2 },
    ],
  });
  expect(await project.ran()).toEqual(['01_a', '02_b', '03_c']);
});

describe("a migration's verify", () => {
  const text = `${moduleOf('02_b.js')}exports.verify = async (knex) => {
  const [{ count }] = await knex('expected').count();
  if (Number(count) !== 1) throw new Error('expected is not as expected');
};
`;
  async function expecting(count: number): Promise<Project> {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.database.query(`create table expected as select generate_series(1, ${count}) as id`);
    await project.write({ '02_b.js': text });
    return project;
  }

  test('sees what the migration did, and lets it pass', async () => {
    const project = await expecting(1);
    expect(await project.ending()).toMatch(/^migrated/);
  });
  test.each(['each', 'all'] as const)(
    'rolls the migration back when it throws, and the next boot runs it once (transaction: %s)',
    async (transaction) => {
      const project = await expecting(0);
      const error = await project.fail({ transaction });
      expect(error.code).toBe('EM_VERIFY_FAILED');
      expect(error.message).toContain('02_b.js: its verify() threw: expected is not as expected');
      expect(await project.ran()).toEqual(['01_a']);
      expect(await project.history()).toEqual(['01_a.js']);
      await project.database.query('insert into expected values (1)');
      expect(await project.ending({ transaction })).toMatch(/^migrated/);
      expect(await project.ran()).toEqual(['01_a', '02_b']);
    },
  );

  test('outside a transaction leaves the migration unfinished when it throws', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.database.query('create table expected (id int)');
    await project.write({ '02_b.js': `${text}exports.config = { transaction: false };` });
    const error = await project.fail();
    expect(error.code).toBe('EM_VERIFY_FAILED');
    expect(error.message).toContain('02_b.js: its verify() threw: expected is not as expected');
    expect(error.message).toContain('already done outside a transaction: create table');
    expect(error.remedy).toMatch(/^Look at what it has left behind and record it .* Look at what verify\(\) expects\.$/);
    expect(await project.history()).toEqual(['01_a.js']);
    expect(await project.ending()).toBe('EM_OUT_OF_SYNC history-unfinished:error');
  });
});
