import { describe, expect, test } from 'vitest';
import { planText } from '../../src/cli/plan-text.js';
import { plan, upgrade, type PlannedUpgrade } from '../../src/commands/index.js';
import type { Options } from '../../src/index.js';
import { describeWithClientTools, dumpableMajor, undumpableMajor } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { contentsOf, schemaOf } from '../script/fixture.js';
import { shortly } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

const applied = {
  '01_orders.js': `
    export const up = async (knex) => {
      await knex.schema.createTable('customers', (t) => { t.bigIncrements(); t.string('email').notNullable(); });
      await knex.schema.createTable('orders', (t) => { t.bigIncrements(); t.bigint('customer'); t.string('code', 10).index(); t.integer('total'); });
    };
    export const down = async () => undefined;`,
};

const up = (body: string, config = '') =>
  `export const up = async (knex) => {${body}};\nexport const down = async () => undefined;\n${config}`;

/** A database with one migration applied, and others pending. */
async function makePlace(pending: Readonly<Record<string, string>>, major?: number): Promise<Place> {
  const database = await createDatabase(major === undefined ? {} : { major });
  const directory = await makeDirectory({ 'package.json': '{ "type": "module" }', ...applied });
  const options: Options = { connection: database.url, migrations: directory, logger: false };
  await upgrade(options);
  const migrations = await makeDirectory({ 'package.json': '{ "type": "module" }', ...applied, ...pending });
  return { database, options: { ...options, migrations }, directory };
}

interface Place {
  readonly database: TestDatabase;
  readonly options: Options;
  readonly directory: string;
}

/** By migration, what its statements do; undefined for one that was not reached. */
function seen({ steps }: PlannedUpgrade): Record<string, string[] | undefined> {
  return Object.fromEntries(steps.map(({ name, trace }) => [name, trace?.map(shortly)]));
}

async function scratchesOf({ name }: TestDatabase): Promise<unknown> {
  const database = await createDatabase();
  const rows = await database.query(
    `select datname from pg_database where datname ~ ('^em_s_' || (select oid from pg_database where datname = $1) || '_')`,
    [name],
  );
  await database.drop();
  return rows;
}

const everyKind = {
  '02_builder.js': up(`
    await knex.schema.alterTable('orders', (t) => { t.string('code', 20).alter(); t.foreign('customer').references('customers.id'); });
    await knex('orders').where({ total: 7 }).update({ total: 8 });`),
  '03_script.sql': `-- two of them\nalter table orders add column note text;\n\ncreate index orders_total on orders (total);\n`,
  '04_alone.sql': `-- transaction: false\ncreate index concurrently orders_note on orders (note);\nalter table orders alter total type bigint;\n`,
  '05_block.js': up(`
    await knex.raw("do $$ begin execute 'alter table customers alter email type text, alter email set default random()::text'; end $$");
    await knex.transaction(async (trx) => await trx.raw('create index on customers (email)'));`),
  '06_born.js': up(`
    await knex.raw('create table born (id int); create index on born (id); alter table born alter id type bigint');
    await knex.schema.alterTable('orders', (t) => t.dropColumn('note'));`),
  '07_born_before.sql': 'alter table born add column at timestamptz default clock_timestamp();',
};

const work = {
  // knex drops the default, drops NOT NULL, changes the type and adds the foreign key; a weaker lock on top of ACCESS EXCLUSIVE is none.
  '02_builder.js': ['AX orders', '', '', 'SRE customers, +scan customers, +scan orders', '+scan orders'],
  '03_script.sql': ['AX orders', '+index orders_total'],
  '04_alone.sql': [
    'SUE orders, +index orders_note',
    'AX orders, +rewrite orders, +index orders_code_index, +index orders_note, +index orders_pkey, +index orders_total',
  ],
  '05_block.js': ['AX customers', '+index customers_email_idx'],
  '06_born.js': ['', '', '', 'AX orders'],
  '07_born_before.sql': ['AX born, +rewrite born, +index born_id_idx'],
};

test('a trace tells of each statement of each pending migration what it does, and the database itself has no part in it', async () => {
  const { database, options } = await makePlace({
    ...everyKind,
    '08_look.js': up(`if (!knex.isTransaction) throw new Error('not as in a boot'); await globalThis.lookAtTarget?.();`),
  });
  const looked: unknown[] = [];
  const observer = await database.connect();
  Object.assign(globalThis, {
    lookAtTarget: async () => {
      const { rows } = await observer.query(
        `select relation::regclass::text as relation, mode from pg_locks l join pg_database d on d.oid = l.database
         where datname = $1 and locktype = 'relation' and pid <> pg_backend_pid() and relation >= 16384`,
        [database.name],
      );
      looked.push(rows);
    },
  });
  const stats = `select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables order by 1`;
  const [contents, schema, before] = [await contentsOf(database), await schemaOf(database), await database.query(stats)];
  const planned = await plan(options, { trace: true });
  expectPrinted('plan', planned);
  expect(seen(planned)).toEqual({ ...work, '08_look.js': [] });
  expect(planned.trace).toEqual({ madeBy: 'replay', failure: undefined });
  expect(looked).toEqual([[], []]); // once when it was captured, once when it was traced
  expect(await contentsOf(database)).toEqual(contents);
  expect(await schemaOf(database)).toEqual(schema);
  expect(await database.query(stats)).toEqual(before);
  expect(await scratchesOf(database)).toEqual([]);
  expect(planned.steps.slice(0, 4).map(({ trace = [] }) => trace.at(-1)?.place?.split('/').at(-1))).toEqual([
    '02_builder.js:3',
    '03_script.sql:4',
    '04_alone.sql:3',
    '05_block.js:3',
  ]);
  expect(JSON.parse(JSON.stringify(planned))).toMatchObject({ steps: { 1: { trace: { 1: { indexesBuilt: ['public.orders_total'] } } } } });
});

test('what is printed names lock, work and time of each statement', async () => {
  const { options } = await makePlace({
    '02_sum.sql': 'alter table orders alter total type bigint;\nreindex index orders_code_index;\nselect 1;',
    '03_fails.sql': 'alter table nowhere add column x int;',
    '04_after.sql': 'create table after ();',
  });
  const planned = await plan(options, { trace: true });
  const text = planText(planned, { columns: 80, style: (format, said) => (format === 'bold' ? said : `<${String(format)} ${said}>`) });
  expect(text.replaceAll(/[\d.]+ ms/g, 'n ms').split('\n')).toEqual([
    expect.stringContaining('An upgrade would run 3 migrations and end at 04_after.sql.'),
    'Traced in a scratch copy of the schema, made by the applied migrations, without rows: the times are those of empty tables.',
    expect.stringMatching(/^<red The trace ended: EM_MIGRATION_FAILED>: migration 03_fails\.sql failed.*03_fails\.sql:1/s),
    ...Array.from({ length: text.split('\n').findIndex((line) => line.startsWith('1. ')) - 4 }, () => expect.any(String) as string),
    '',
    '1. 02_sum.sql',
    '   <yellow older releases cannot live with it: it changes the type of orders.total from integer to bigint>',
    '   alter table orders alter total type bigint;',
    '     -> <red ACCESS EXCLUSIVE on public.orders>, <red rewrites public.orders>, <yellow builds public.orders_code_index>, <yellow builds public.orders_pkey>, n ms',
    '   reindex index orders_code_index;',
    '     -> <yellow builds public.orders_code_index>, n ms',
    '   select 1;',
    '     -> n ms',
    '',
    '2. 03_fails.sql',
    '   alter table nowhere add column x int;',
    '     -> <red fails: relation "nowhere" does not exist (42P01)>, n ms',
    '',
    '3. 04_after.sql',
    '   create table after ();',
  ]);
});

describe('a migration that fails', () => {
  test('in a statement is told with it, and nothing behind it is traced', async () => {
    const { database, options } = await makePlace({
      '02_fine.sql': 'alter table orders add column a int;',
      '03_fails.js': up(
        `await knex.raw('alter table orders add column b int; alter table orders add column a int'); await knex.raw('select 1');`,
      ),
      '04_after.sql': 'alter table orders add column c int;',
    });
    const before = await schemaOf(database);
    const planned = await plan(options, { trace: true });
    expect(seen(planned)).toEqual({ '02_fine.sql': ['AX orders'], '03_fails.js': ['AX orders', 'fails 42701'], '04_after.sql': undefined });
    expect(planned.trace?.failure).toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      message: expect.stringMatching(/03_fails\.js.*column "a" of relation "orders" already exists/s) as string,
    });
    expect(planned.steps[1]?.trace?.at(-1)).toMatchObject({ sql: 'alter table orders add column a int', error: { code: '42701' } });
    expect(await schemaOf(database)).toEqual(before);
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('in its code, or its verify, is told by that', async () => {
    const { options } = await makePlace({
      '02_fails.js': up(
        `await knex.raw('alter table orders add column a int')`,
        `export const verify = async () => { throw new Error('not what I want'); };`,
      ),
    });
    const planned = await plan(options, { trace: true });
    expect(seen(planned)).toEqual({ '02_fails.js': ['AX orders'] });
    expect(planned.trace?.failure).toMatchObject({
      code: 'EM_VERIFY_FAILED',
      message: expect.stringContaining('not what I want') as string,
    });
  });

  test('outside a transaction leaves there what it had done before', async () => {
    const { options } = await makePlace({
      '02_fails.sql': '-- transaction: false\nalter table orders add column a int;\ncreate index concurrently on nowhere (a);\nselect 1;',
    });
    expect(seen(await plan(options, { trace: true }))).toEqual({ '02_fails.sql': ['AX orders', 'fails 42P01'] });
  });
});

describe('a migration does not notice that it is traced', () => {
  test.each(['transaction: true', 'transaction: false'])('%s', async (config) => {
    const inTransaction = config.endsWith('true');
    const { options } = await makePlace({
      '02_asks.js': up(
        `
        const must = (truth, what) => { if (!truth) throw new Error(what); };
        const results = await knex.raw('select 1 as a; set application_name to x; select 2 as b, 3 as c');
        must(results.length === 3 && results[0].rows[0].a === 1 && results[2].rows[0].c === 3, 'results');
        const { rows: [{ n }] } = await knex.raw('select ?::int + 1 as n', [41]);
        must(n === 42, 'values');
        must((await knex('orders').insert([{ code: 'a' }, { code: 'b' }]).returning('id')).length === 2, 'returning');
        const caught = await knex.transaction(async (trx) => await trx.raw('select nothing')).catch((error) => error);
        must(caught.code === '42703' && caught.position === '8', 'error');
        const [one, two] = await Promise.all([knex('orders').count(), knex.raw('select 2 as id')]);
        must(one[0].count === '2' && two.rows[0].id === 2, 'at once');
        let seen = 0;
        for await (const row of knex('orders').select('id').stream()) seen++;
        must(seen === 2, 'stream');
        ${inTransaction ? '' : `await knex.transaction(async (trx) => await trx.raw('alter table orders add column own int'), { isolationLevel: 'serializable' });`}
        await knex.raw('alter table orders add column a int');
        await knex.raw('-- nothing');`,
        `export const config = { ${config}, capture: false };`,
      ),
    });
    const planned = await plan(options, { trace: true });
    expect(planned.trace?.failure).toBeUndefined();
    const [, , , failed] = (seen(planned)['02_asks.js'] ?? []).slice(1);
    expect(failed).toBe('fails 42703');
    expect(seen(planned)['02_asks.js']?.slice(-2)).toEqual(inTransaction ? ['', 'AX orders'] : ['AX orders', 'AX orders']);
    expect(planned.steps[0]?.trace?.find(({ sql }) => sql.startsWith('select "id" from "orders"'))).toMatchObject({ locksFrom: 'unknown' });
  });

  test('all in one transaction: what is held goes on to the next', async () => {
    const { options } = await makePlace({
      '02_a.sql': 'lock table orders in share mode;',
      '03_b.js': up(`await knex.raw('alter table customers add column a int');`),
    });
    const planned = await plan({ ...options, transaction: 'all' }, { trace: true });
    expect(seen(planned)).toEqual({ '02_a.sql': ['S orders'], '03_b.js': ['AX customers'] });
    expect(planned.steps[1]?.trace?.[0]?.held).toEqual([
      { table: 'public.customers', mode: 'ACCESS EXCLUSIVE' },
      { table: 'public.orders', mode: 'SHARE' },
    ]);
  });
});

test('nothing is copied where nothing is pending, or no trace was asked for', async () => {
  const { options, directory, database } = await makePlace({ '02_a.sql': 'create table a ();' });
  const { name, password, url } = await database.createRole();
  await database.query(`grant select on all tables in schema public to ${name}`);
  expect(password).not.toBe('');
  expect(await plan({ ...options, connection: url })).toMatchObject({ trace: undefined, steps: [{ trace: undefined }] });
  expect(await plan({ ...options, connection: url, migrations: directory }, { trace: true })).toMatchObject({
    trace: undefined,
    steps: [],
  });
  await expect(plan({ ...options, connection: url }, { trace: true })).rejects.toMatchObject({
    code: 'EM_SCRATCH_UNAVAILABLE',
    remedy: expect.stringContaining(`alter role "${name}" createdb`) as string,
  });
});

describeWithClientTools('where the applied migrations do not lead to the schema', () => {
  const pending = { '02_sum.sql': 'alter table orders alter total type bigint;' };

  test('pg_dump copies it, indexes, views and rights included, without the history', async () => {
    const { database, options } = await makePlace(pending, dumpableMajor);
    await database.query(`insert into knex_migrations (name, batch) values ('00_lost.js', 1)`);
    await database.query(
      'create schema other; create table other.things (id int); create materialized view counted as select count(*) from orders',
    );
    const contents = await contentsOf(database);
    const planned = await plan({ ...options, rules: { 'history-missing': 'warn' } }, { trace: true });
    expect(planned.trace).toEqual({ madeBy: 'dump', failure: undefined });
    expect(seen(planned)).toEqual({ '02_sum.sql': ['AX orders, +rewrite orders, +index orders_code_index, +index orders_pkey'] });
    expect(await contentsOf(database)).toEqual(contents);
  });

  test('a migration that does not run in an empty database leads there too', async () => {
    const { database, options } = await makePlace(pending, dumpableMajor);
    await database.query(
      `create table old (id int); insert into old values (1); insert into knex_migrations (name, batch) values ('01_reads.js', 1)`,
    );
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      ...applied,
      ...pending,
      '01_reads.js': up(`const [{ id }] = await knex('old');`),
    });
    expect(await plan({ ...options, migrations }, { trace: true })).toMatchObject({
      trace: { madeBy: 'dump' },
      steps: [{ trace: [{ rewritten: ['public.orders'] }] }],
    });
  });

  test('a dump that the role cannot restore is told', async () => {
    const { database, options } = await makePlace(pending, dumpableMajor);
    await database.query(`create function noted() returns event_trigger language plpgsql as 'begin end'`);
    await database.query('create event trigger noted on ddl_command_end execute function noted()');
    await database.query(`insert into knex_migrations (name, batch) values ('00_lost.js', 1)`);
    const { name, url } = await database.createRole('createdb');
    await database.query(
      `grant select on all tables in schema public to ${name}; grant select on all sequences in schema public to ${name}`,
    );
    await expect(plan({ ...options, connection: url }, { trace: true })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('permission denied to create event trigger') as string,
    });
  });

  test.runIf(undumpableMajor !== undefined)('and pg_dump does not fit, one error says both', async () => {
    const { database, options } = await makePlace(pending, undumpableMajor);
    await database.query(`insert into knex_migrations (name, batch) values ('00_lost.js', 1)`);
    await expect(plan(options, { trace: true })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringMatching(/not among the files: 00_lost\.js; and the schema cannot be dumped: pg_dump is older/) as string,
      remedy: expect.stringMatching(/Put the missing files back .*Nothing was changed\./) as string,
    });
    expect(await scratchesOf(database)).toEqual([]);
  });
});
