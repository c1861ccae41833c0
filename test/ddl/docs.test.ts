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

async function makeScene(): Promise<{ database: TestDatabase; directory: string }> {
  const files = examples.map(({ label, text }) => [label, text] as const);
  const directory = await makeInstalled({
    'package.json': '{ "type": "module" }',
    '20260101_orders.js': tables,
    ...Object.fromEntries(files),
  });
  return { database: await createDatabase(), directory };
}

test('the examples of docs/safe-steps.md run, in order, leave what they say, and lead back', async () => {
  const { database, directory } = await makeScene();
  await boot(database, directory);
  const { indexes, constraints, columns } = await shapeOf(database, 'orders');
  expect(indexes).toMatchObject([
    { name: 'orders_customer_idx', valid: true },
    { name: 'orders_open_email_idx', valid: true },
  ]);
  expect(constraints).toMatchObject([
    { name: 'orders_customer_id_fkey', valid: true },
    { name: 'orders_total_check', valid: true },
  ]);
  expect(columns.filter(({ required }) => required).map(({ name }) => name as string)).toEqual(['id', 'email', 'token']);
  await downgrade({ connection: database.url, migrations: directory, logger: false }, { target: { to: '20260101_orders.js' }, yes: true });
  const before = await shapeOf(database, 'orders');
  const required = before.columns.filter((column) => column['required']).map(({ name }) => name as string);
  expect([before.indexes, before.constraints, required]).toEqual([[], [], ['id']]);
});
