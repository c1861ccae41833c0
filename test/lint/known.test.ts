import { expect, test } from 'vitest';
import { KnownFacts, type Query } from '../../src/lint/catalog/index.js';
import { readStatements } from '../../src/lint/statement.js';
import { createDatabase } from '../support/servers.js';

async function actionsOf(sql: string) {
  const read = await readStatements({ sql, text: sql, place: undefined, message: 0 });
  return read.flatMap(({ actions }) => actions);
}

test('a table is looked for along the search_path and in schemas that statements name, and not waited for elsewhere', async () => {
  const database = await createDatabase();
  await database.query('create schema one; create schema two; create table one.notes (a int); create table two.notes (a int, b int)');
  const client = await database.connect();
  await client.query('set search_path = one');
  await client.query('set statement_timeout = 5000');
  const query: Query = async <Row>(text: string, values: readonly unknown[] = []) => (await client.query(text, [...values])).rows as Row[];
  const holder = await database.connect();
  await holder.query('begin; lock table two.notes'); // another tenant is being migrated

  const known = new KnownFacts(query);
  await known.learn(await actionsOf('alter table notes add c int'));
  const states = () => ['one', 'two'].map((schema) => known.catalog().relation({ schema, name: 'notes' }).state);
  expect(states()).toEqual(['old', 'absent']);
  await holder.query('rollback');
  await known.learn(await actionsOf('drop index two.notes_idx')); // from now on that schema matters, for what was named before too
  expect(states()).toEqual(['old', 'old']);

  const moved = new KnownFacts(query);
  await moved.learn(await actionsOf('set search_path = two; alter table notes add c int'));
  expect(moved.catalog().relation({ schema: 'two', name: 'notes' })).toMatchObject({
    state: 'old',
    columns: [{ name: 'a' }, { name: 'b' }],
  });
});
