import { expect, test } from 'vitest';
import { downgrade } from '../../src/commands/index.js';
import { boot } from '../boot/fixture.js';
import { makeInstalled } from '../support/directories.js';
import { readPage } from '../support/markdown.js';
import { createDatabase } from '../support/servers.js';

const orders = `create table orders (id bigint primary key, customer text, amount numeric);
insert into orders select i, 'c' || i % 5, i / 10.0 from generate_series(1, 2500) i;`;

test('the examples of docs/backfills.md run, one after the other, and back', async () => {
  const examples = readPage('docs/backfills.md').snippets.filter(({ label }) => label.endsWith('.js'));
  const files = Object.fromEntries(examples.map(({ label, text }) => [label, text]));
  const directory = await makeInstalled({ 'package.json': '{ "type": "module" }', '20260101_orders.sql': orders, ...files });
  const database = await createDatabase();
  const { applied } = await boot(database, directory, { backfills: 'blocking' });
  expect(applied).toHaveLength(4);
  const done =
    "select count(*)::int as n from orders where amount_cents = round(amount * 100) and label = customer || '-' || lpad(id::text, 6, '0')";
  expect(await database.query(done)).toEqual([{ n: 2500 }]);
  await downgrade({ connection: database.url, migrations: directory, logger: false }, { target: { to: '20260101_orders.sql' }, yes: true });
  expect(await database.query('select name from knex_migrations_backfills')).toEqual([]);
});
