import { describe, expect, test } from 'vitest';
import { check, createAll, upgrade } from '../../src/commands/index.js';
import { makeModelled, relationsOf } from './project.js';
import { expectPrinted } from '../support/json-schemas.js';

const made = ['patients', 'patients_email', 'patients_pkey'];

describe('create-all', () => {
  test('makes the model, and has nothing to do when it is made; several at once do not collide', async () => {
    const { database, options } = await makeModelled();
    const all = await Promise.all(Array.from({ length: 4 }, async () => await createAll(options)));
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expect(await relationsOf(database)).toEqual(made);
    expect(await createAll(options)).toEqual({ created: false, database: database.name, recorded: [] });
    expect(await database.query(`select to_regclass('knex_migrations') as history`)).toEqual([{ history: null }]);
  });

  test('stamps head when asked, also several at once, and check finds all three corners the same', async () => {
    const { database, options } = await makeModelled();
    const all = await Promise.all(Array.from({ length: 3 }, async () => await createAll(options, { stamp: 'head' })));
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    expectPrinted('create-all', all[0]);
    expect(all.flatMap(({ recorded }) => recorded)).toEqual(['01_patients.js', '02_email.js']);
    expect(await database.query('select name, batch from knex_migrations order by id')).toEqual([
      { name: '01_patients.js', batch: null },
      { name: '02_email.js', batch: null },
    ]);
    expect(await upgrade(options)).toMatchObject({ status: 'in-sync' });
    expect(await check(options)).toEqual({
      ok: true,
      findings: [],
      compared: ['model', 'migrations', 'database'],
      database: database.name,
      pending: [],
    });
  });

  test('does not stamp a model that the migrations do not make, and makes nothing', async () => {
    const { database, options, directory } = await makeModelled({ 'more.sql': 'create view emails as select email from patients;' });
    const schema = [`${directory}/schema.js`, `${directory}/more.sql`];
    await expect(createAll({ ...options, schema }, { stamp: 'head' })).rejects.toMatchObject({
      code: 'EM_SCHEMA_DIFFERS',
      findings: [{ code: 'schema-extra', message: expect.stringContaining('view public.emails') as string }],
    });
    expect(await relationsOf(database)).toEqual([]);
    expect(await createAll({ ...options, schema })).toMatchObject({ created: true, recorded: [] });
    expect(await relationsOf(database)).toEqual(['emails', ...made]);
  });

  test('refuses production, a history and other tables, before anything is changed', async () => {
    const { database, options } = await makeModelled();
    const production = await createAll({ ...options, environment: 'production' }).catch((error: unknown) => error);
    expect(production).toMatchObject({ code: 'EM_PLAN_REFUSED', message: expect.stringContaining('production') as string });
    await database.query('create table other (id int)');
    await expect(createAll(options)).rejects.toMatchObject({
      code: 'EM_SCHEMA_DIFFERS',
      findings: [{ code: 'create-all-differs', message: expect.stringMatching(/ is (only|missing) in the database$/) as string }, {}],
    });
    expect(await relationsOf(database)).toEqual(['other']);
    await database.query('drop table other');
    await upgrade(options, { target: { to: '01' } });
    await expect(createAll(options)).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('01_patients.js') as string,
    });
    await expect(createAll(options, { stamp: 'head' })).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
    expect(await relationsOf(database)).toEqual(['patients', 'patients_pkey']);
  });

  test('leaves other services in the same database alone: include and exclude', async () => {
    const { database, options, directory } = await makeModelled({
      'a.sql': 'create schema a; create table a.t (id int primary key); create table a.old (id int);',
    });
    await database.query('create table other (id int); create schema b; create table b.t (id int)');
    const schema = { files: `${directory}/a.sql`, include: ['a'], exclude: ['a.ol*'] };
    expect(await createAll({ ...options, schema })).toMatchObject({ created: true });
    await database.query('drop table a.old; create table b.more (id int)');
    expect(await createAll({ ...options, schema })).toMatchObject({ created: false });
    await database.query('alter table a.t add column extra int');
    await expect(createAll({ ...options, schema })).rejects.toMatchObject({
      findings: [{ message: expect.stringContaining('column a.t.extra is only in the database') as string }],
    });
  });
});

describe('a model', () => {
  test('that fails says the file, the line and the statement, and leaves nothing', async () => {
    const { database, options, directory } = await makeModelled({
      'bad.sql': 'create table one (id int);\n\ncreate table two (id nonsense);\n',
      'bad.js': `export default async (knex) => {\n  await knex.schema.createTable('one', (t) => t.increments());\n  await knex.raw('nonsense');\n};`,
      'begin.sql': 'create table one (id int);\ncommit;',
      'caught.js': `export default async (knex) => { await knex.raw('nonsense').catch(() => {}); };`,
      'named.js': 'export const schema = () => {};',
    });
    const failing = async (file: string) =>
      await createAll({ ...options, schema: `${directory}/${file}` }).catch((error: unknown) => error as Error);
    expect(await failing('bad.sql')).toMatchObject({
      code: 'EM_MODEL_INVALID',
      message: expect.stringMatching(
        /bad\.sql:3: type "nonsense" does not exist \(SQLSTATE 42704\)\n {2}statement: create table two/,
      ) as string,
    });
    expect(await failing('bad.js')).toMatchObject({ message: expect.stringMatching(/bad\.js:3: .*\n {2}statement: nonsense/) as string });
    expect(await failing('begin.sql')).toMatchObject({
      message: expect.stringContaining('line 2: a model runs in one transaction') as string,
    });
    expect(await failing('caught.js')).toMatchObject({
      code: 'EM_MODEL_INVALID',
      message: expect.stringContaining('syntax error') as string,
    });
    expect(await failing('named.js')).toMatchObject({ message: expect.stringContaining('its default export is no function') as string });
    expect(await failing('absent.js')).toMatchObject({
      code: 'EM_MODEL_INVALID',
      message: expect.stringContaining('absent.js cannot be loaded: there is no such file') as string,
    });
    await expect(createAll({ ...options, schema: undefined })).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(await relationsOf(database)).toEqual([]);
    expect(
      await database.query(
        `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([]);
  });

  test('of a dump and a module: what the dump does to the session is gone for the module, transactions in it are savepoints', async () => {
    const { database, options, directory } = await makeModelled({
      'dump.sql': `\\restrict abc\nset statement_timeout = 0;\nselect pg_catalog.set_config('search_path', '', false);\ncreate table public.one (id int);\n\\unrestrict abc\n`,
      'two.js': `export default (knex) => knex.transaction(async (trx) => { await trx.schema.createTable('two', (t) => t.increments()); });`,
    });
    const schema = [`${directory}/dump.sql`, `${directory}/two.js`];
    expect(await createAll({ ...options, schema })).toMatchObject({ created: true });
    expect(await relationsOf(database)).toEqual(['one', 'two', 'two_pkey']);
    expect(await createAll({ ...options, schema })).toMatchObject({ created: false });
  });
});
