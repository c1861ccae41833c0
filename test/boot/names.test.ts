import { expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';

test.each([
  ['of the greatest length', 'x'.repeat(53)],
  ['with quotes, upper case and spaces', `Our "history" of it's`],
  ['that would end a dollar-quoted body', 'a$possession$b$claimed$c'],
])('a history table with a name %s works, and its indexes are there', async (_, tableName) => {
  const database = await createDatabase();
  const schemaName = `Sch"ema's`;
  await database.query(`create schema "Sch""ema's"`);
  const up = async (knex: { raw(sql: string): Promise<unknown> }): Promise<unknown> => await knex.raw('create table public.made (id int)');
  const boot = async () =>
    await ensureMigrated({
      connection: database.url,
      logger: false,
      migrations: { tableName, schemaName, modules: { '0001 it\'s "quoted" $1': { up: up as never, down: async () => undefined } } },
    });
  expect(await boot()).toMatchObject({ status: 'migrated', applied: [{}] });
  expect(await boot()).toMatchObject({ status: 'in-sync' });
  const indexes = await database.query(
    `select indexrelid::regclass::text as name from pg_index where indrelid = (
    select oid from pg_class where relname = $1)`,
    [`${tableName}_journal`],
  );
  expect(indexes).toHaveLength(3);
});
