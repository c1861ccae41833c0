import { expect, test } from 'vitest';
import { downgrade } from '../../src/commands/index.js';
import { boot } from '../boot/fixture.js';
import { makeInstalled } from '../support/directories.js';
import { readPage } from '../support/markdown.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { shapeOf } from './fixture.js';

const tables = `export const up = async (knex) => await knex.raw(\`create table customers (id int primary key);
  create table orders (id int generated always as identity primary key, customer_id int, email text, status text, created_at timestamptz, total numeric(10, 2));
  insert into customers values (1);
  insert into orders (customer_id, email, total) select 1, 'a@example.org', n from generate_series(1, 5) n\`);
export const down = async (knex) => await knex.raw('drop table orders, customers');`;

const examples = readPage('docs/safe-steps.md').snippets.filter(({ label }) => label.endsWith('.js'));
const contract = '20260501090000_orders_contract_total.js';

async function makeScene(without: string | undefined): Promise<{ database: TestDatabase; directory: string }> {
  const files = examples.filter(({ label }) => label !== without).map(({ label, text }) => [label, text] as const);
  const directory = await makeInstalled({
    'package.json': '{ "type": "module" }',
    '20260101_orders.js': tables,
    ...Object.fromEntries(files),
  });
  return { database: await createDatabase(), directory };
}

test('the examples of docs/safe-steps.md run, in order, and leave what they say', async () => {
  const { database, directory } = await makeScene(undefined);
  await boot(database, directory);
  const { indexes, constraints, columns } = await shapeOf(database, 'orders');
  expect(indexes).toMatchObject([
    { name: 'orders_customer_idx', valid: true },
    { name: 'orders_open_email_idx', valid: true },
  ]);
  expect(constraints).toMatchObject([
    { name: 'orders_amount_check', valid: true },
    { name: 'orders_customer_id_fkey', valid: true },
  ]);
  expect(columns.filter(({ required }) => required).map(({ name }) => name as string)).toEqual(['id', 'email', 'token']);
  expect(await database.query('select sum(amount)::int from orders')).toEqual([{ sum: 15 }]);
});

test('between expanding and contracting a column has both names, and the ways down lead back', async () => {
  const { database, directory } = await makeScene(contract);
  await boot(database, directory);
  await database.query(`insert into orders (email, total) values ('old@example.org', 7); insert into orders (email, amount) values ('new@example.org', 8);
    update orders set total = 70 where email = 'old@example.org'; update orders set amount = 80 where email = 'new@example.org'`);
  expect(await database.query('select distinct total::int, amount::int from orders where total > 5 order by 1')).toEqual([
    { total: 70, amount: 70 },
    { total: 80, amount: 80 },
  ]);
  await downgrade({ connection: database.url, migrations: directory, logger: false }, { target: { to: '20260101_orders.js' }, yes: true });
  const { indexes, constraints, columns } = await shapeOf(database, 'orders');
  expect([indexes, constraints, columns.filter(({ required }) => required).map(({ name }) => name as string)]).toEqual([[], [], ['id']]);
});
