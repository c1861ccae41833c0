import type { Knex } from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import { addColumnWithVolatileDefault, type AddColumnOptions } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { changesOf, knexOf } from './fixture.js';

let database: TestDatabase;
let knex: Knex;
beforeAll(async () => {
  database = await createDatabase();
  knex = knexOf(database);
});

const add = async (options: AddColumnOptions) => await changesOf(knex, async () => await addColumnWithVolatileDefault(knex, options));
const token = { column: 'token', type: 'uuid', default: 'gen_random_uuid()' };
const fileOf = async (table: string) => await database.query('select pg_relation_filenode($1::regclass) as file', [table]);

/** Rows, different tokens among them, and the transactions that wrote them. */
async function filled(table: string) {
  const [row] = await database.query(
    `select count(*)::int as rows, count(distinct token)::int as tokens, count(distinct xmin::text)::int as transactions from ${table}`,
  );
  return row;
}

describe('addColumnWithVolatileDefault', () => {
  test('gives each row a value of its own, a batch a transaction, and rewrites nothing', async () => {
    await database.query('create table visits (id int primary key, note text)');
    await database.query('insert into visits select n, n from generate_series(1, 25) n');
    const before = await fileOf('visits');
    const [first, second, ...others] = await add({ table: 'visits', ...token, batchSize: 10 });
    expect(first).toBe('alter table "visits" add column "token" uuid, alter column "token" set default gen_random_uuid()');
    expect([second?.slice(0, 3), others]).toEqual(['do ', []]);
    expect(await filled('visits')).toEqual({ rows: 25, tokens: 25, transactions: 3 });
    expect(await fileOf('visits')).toEqual(before);
    await database.query('insert into visits values (26)');
    expect(await filled('visits')).toMatchObject({ tokens: 26 });
  });

  test('goes on where a run died: without the default, and half-way through the rows, whose values stay', async () => {
    await database.query('create table halves (id int primary key)');
    await database.query('insert into halves select n from generate_series(1, 25) n');
    await database.query('alter table halves add column token uuid');
    await database.query('update halves set token = gen_random_uuid() where id in (1, 2, 17)');
    const tokens = await database.query('select id, token from halves where token is not null order by id');
    expect((await add({ table: 'halves', ...token, batchSize: 10 }))[0]).toBe(
      'alter table "halves" alter column "token" set default gen_random_uuid()',
    );
    expect(await filled('halves')).toMatchObject({ rows: 25, tokens: 25 });
    expect(await database.query('select id, token from halves where id in (1, 2, 17) order by id')).toEqual(tokens);
    expect(await add({ table: 'halves', ...token })).toEqual([expect.stringMatching(/^do /)]);
  });

  test('walks a key of several columns, through partitions, in names of any sort', async () => {
    await database.query(`create domain given as int not null; create table "The Lines" ("Order" given, kind text, em_from int, primary key ("Order", kind)) partition by list (kind);
      create table lines_a partition of "The Lines" for values in ('a'); create table lines_b partition of "The Lines" for values in ('b');
      insert into "The Lines" select n, kind from generate_series(1, 13) n, (values ('a'), ('b')) k (kind)`);
    await add({ table: { schema: 'public', table: 'The Lines' }, ...token, batchSize: 4 });
    expect(await filled('"The Lines"')).toMatchObject({ rows: 26, tokens: 26, transactions: 7 });
  });

  test('knows its own column again by type and default, and refuses another', async () => {
    await database.query(`create table prices (id int primary key, odd numeric default 1, made int generated always as identity)`);
    const price = { table: 'prices', column: 'price', type: 'numeric(10,2)', default: 'random() * 100' };
    await add(price);
    expect(await add(price)).toHaveLength(1);
    const coded = { table: 'prices', column: 'code', type: 'varchar(10)', default: `left(md5(random()::text), 10)` };
    await add(coded);
    expect(await add(coded)).toHaveLength(1);
    const refused = { code: 'EM_DDL_REFUSED', message: expect.stringMatching(/"prices" has another column "\w+" already/) as string };
    await expect(add({ ...price, type: 'numeric(10,3)' })).rejects.toMatchObject(refused);
    await expect(add({ ...coded, type: 'varchar(11)' })).rejects.toMatchObject(refused);
    await expect(add({ ...price, default: 'random() * 10' })).rejects.toMatchObject(refused);
    await expect(add({ ...price, column: 'odd', type: 'numeric' })).rejects.toMatchObject(refused);
    await expect(add({ ...price, column: 'made', type: 'int' })).rejects.toMatchObject(refused);
  });

  test('refuses a table without a primary key, and a transaction, before anything is changed', async () => {
    await database.query('create table keyless (id int)');
    await expect(add({ table: 'keyless', ...token })).rejects.toMatchObject({
      code: 'EM_DDL_REFUSED',
      message: expect.stringContaining('primary key') as string,
    });
    const inTransaction = knex.transaction(async (trx) => await addColumnWithVolatileDefault(trx, { table: 'visits', ...token }));
    await expect(inTransaction).rejects.toMatchObject({ code: 'EM_DDL_REFUSED' });
    expect(await database.query(`select attname from pg_attribute where attrelid = 'keyless'::regclass and attnum > 0`)).toEqual([
      { attname: 'id' },
    ]);
  });
});
