import knexOf from 'knex';
import { beforeAll, expect, test } from 'vitest';
import { ensureMigrated, type Options } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { directoryOf, names, ranIn, tablesOf } from './tenants-fixture.js';

let database: TestDatabase;
let directory: string;

beforeAll(async () => {
  database = await createDatabase();
  directory = await directoryOf();
  await database.query(
    `create schema role_s; create schema knex_s; create schema created_s; create schema mine; alter database ${database.name} set search_path = role_s`,
  );
});

const expected = ['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock', 'notes', 'ran'];

test('searchPath beats what the database, knex and its pool.afterCreate say, in reading, checks and migrations', async () => {
  const afterCreate = (client: { query(sql: string, done: (error?: Error) => void): void }, done: (error?: Error) => void) =>
    client.query('set search_path = created_s', done);
  const knex = knexOf({ client: 'pg', connection: database.url, searchPath: ['knex_s'], pool: { afterCreate } });
  const seen: unknown[] = [];
  const check = {
    name: 'path',
    run: async ({ query }: { query(sql: string): Promise<unknown[]> }) => {
      seen.push(...(await query('select current_schema() as schema')));
      return [];
    },
  };
  const options: Options = { knex, migrations: directory, searchPath: ['mine', 'public'], logger: false, checks: [check] as never };
  expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{}, {}, {}] });
  expect(seen).toEqual([{ schema: 'mine' }]);
  expect(await ranIn(database, 'mine')).toEqual(names);
  expect(await tablesOf(database, 'mine')).toEqual(expected);
  for (const schema of ['public', 'role_s', 'knex_s', 'created_s'])
    expect([schema, await tablesOf(database, schema)]).toEqual([schema, []]);
  expect(await ensureMigrated({ ...options, mode: 'verify' })).toMatchObject({ status: 'in-sync' });
  await knex.destroy();
});

test('a first schema that is not there is refused before anything is made in the next one', async () => {
  const options: Options = { connection: database.url, migrations: directory, searchPath: ['missing', 'public'], logger: false };
  await expect(ensureMigrated(options)).rejects.toMatchObject({
    code: 'EM_CHECK_FAILED',
    message: expect.stringContaining('the schema "missing", the first of searchPath, does not exist') as string,
    remedy: expect.stringContaining('grant usage, create on schema "missing" to') as string,
  });
  expect(await tablesOf(database)).toEqual([]);
});
