import { expect, test } from 'vitest';
import { readLoss } from '../src/loss.js';
import { withInput } from './checks/fixture.js';
import { poll } from './support/boot.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

async function lossOf(database: TestDatabase, statements: readonly string[]): Promise<string[]> {
  const losses = await withInput(database.url, {}, async ({ session }) => await readLoss(session, statements));
  return losses.map(({ what, rowCount, estimated }) => `${what}: ${estimated ? 'about ' : ''}${rowCount}`);
}

test('a table that is dropped while its rows are being counted holds none', async () => {
  const database = await makeShop();
  const other = await database.connect();
  await other.query('begin; drop table orders cascade');
  const losses = lossOf(database, ['drop table orders']);
  await poll(async () => {
    const [waiting] = await database.query(`select from pg_locks where not granted and relation = 'orders'::regclass`);
    return waiting;
  });
  await other.query('commit');
  expect(await losses).toEqual([]);
});

async function makeShop(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query(`create schema "Shop"; create table orders (id int, note text); create table empty (id int); create table "Shop"."Items" (id int);
    create table days (day int) partition by list (day); create table days_1 partition of days for values in (1); create view seen as select * from orders;
    insert into orders values (1, 'a'), (2, null), (3, null); insert into "Shop"."Items" values (1); insert into days values (1), (1);`);
  return database;
}

test.each<[string, string[], string[]]>([
  ['a table', ['drop table if exists orders cascade'], ['table "public"."orders": 3']],
  [
    'a column, where it holds something',
    ['alter table orders drop column note, drop column if exists gone'],
    ['column "public"."orders"."note": 1'],
  ],
  ['several tables in one text', ['drop table orders; drop table public.days'], ['table "public"."orders": 3', 'table "public"."days": 2']],
  ['a whole schema', ['drop schema "Shop" cascade'], ['table "Shop"."Items": 1']],
  ['a quoted name', ['drop table "Shop"."Items"'], ['table "Shop"."Items": 1']],
  [
    'the rows of a table',
    ['truncate orders', 'delete from "Shop"."Items" where id = 7'],
    ['rows of "public"."orders": 3', 'rows of "Shop"."Items": 1'],
  ],
  ['the same thing twice', ['drop table orders', 'drop table public.orders'], ['table "public"."orders": 3']],
  ['what holds no rows', ['drop table empty', 'drop view seen', 'drop index nothing', 'drop table gone'], []],
  ['what cannot be read', ['drop tabel orders'], []],
])('%s', async (_what, statements, losses) => {
  const database = await makeShop();
  expect(await lossOf(database, statements)).toEqual(losses);
});

test('a large table is not counted: the estimate of the server has to do', async () => {
  const database = await makeShop();
  await database.query('insert into orders select n, null from generate_series(1, 100) n; analyze orders');
  await database.query(`update pg_class set relpages = 1000000, reltuples = 5000000 where oid = 'orders'::regclass`);
  expect(await lossOf(database, ['drop table orders'])).toEqual(['table "public"."orders": about 5000000']);
});

test('a table that somebody has locked is not waited for: the estimate has to do', async () => {
  const database = await makeShop();
  await database.query('analyze orders');
  const other = await database.connect();
  await other.query('begin; lock table orders in access exclusive mode');
  expect(await lossOf(database, ['drop table orders'])).toEqual(['table "public"."orders": about 3']);
});

test('it only reads: a role with SELECT in read-only transactions is enough', async () => {
  const database = await makeShop();
  const role = await database.createRole();
  await database.query(`grant select on orders to ${role.name}; alter role ${role.name} set default_transaction_read_only = on`);
  const losses = await withInput(role.url, {}, async ({ session }) => await readLoss(session, ['drop table orders']));
  expect(losses).toMatchObject([{ rowCount: 3, estimated: false }]);
  await database.query(`insert into days select 1 from generate_series(1, 10); analyze days`);
  expect(await withInput(role.url, {}, async ({ session }) => await readLoss(session, ['drop table days']))).toMatchObject([
    { rowCount: 12, estimated: true },
  ]);
});
