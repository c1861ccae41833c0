import { expect, test } from 'vitest';
import { ownTables, secretsIn } from './support/secrets.js';
import { createDatabase } from './support/servers.js';

// The net that every child process and every database of the suite falls into (support/process.ts, support/servers.ts) does hold.
test('a password of the superuser or of a role is found in a text, and in a table of our own', async () => {
  const database = await createDatabase();
  const role = await database.createRole();
  expect(secretsIn(`cannot reach ${database.url}`)).toEqual([new URL(database.url).password]);
  expect(secretsIn(`cannot reach ${role.url}, again: ${role.password}`)).toEqual([role.password]);
  expect(secretsIn('cannot reach postgres://***@host/db')).toEqual([]);
  await database.query(`create table knex_migrations_journal (error jsonb)`);
  await database.query(`insert into knex_migrations_journal values (to_jsonb($1::text))`, [role.url]);
  const [kept] = await database.query(ownTables);
  expect(secretsIn(String(kept?.['text']))).toEqual([role.password]);
  await database.query('drop table knex_migrations_journal');
});
