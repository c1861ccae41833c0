import { expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import { readSchema } from '../../src/schema/index.js';
import { resetSchema } from '../../src/testing/index.js';
import { makeDirectory } from '../support/directories.js';
import { runCode } from '../support/process.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { files } from './fixture.js';

async function makeMigrated(environment?: string) {
  const database = await createDatabase();
  const options = { connection: database.url, migrations: await makeDirectory(files), logger: false as const, environment };
  await ensureMigrated(options);
  await database.query(`insert into people (name) values ('Ada')`);
  return { database, options };
}

const namesIn = async (database: TestDatabase) => await database.query('select name from people');
const schemaOf = async (database: TestDatabase) => (await readSchema(database.query)).lines;

test('resetSchema() drops all there is and migrates again', async () => {
  const { database, options } = await makeMigrated();
  const fresh = await schemaOf(database);
  await database.query(`create schema other; create table other.more (id int references people); create extension pg_trgm;
    create function watch() returns event_trigger language plpgsql as $$ begin end $$;
    create event trigger watched on ddl_command_end execute function watch(); create publication told for all tables;
    select lo_from_bytea(0, 'x'); create foreign data wrapper far; create server farther foreign data wrapper far`);
  expect(await resetSchema({ ...options, confirm: database.name })).toMatchObject({ status: 'migrated' });
  expect(await schemaOf(database)).toEqual(fresh);
  expect(await namesIn(database)).toEqual([]);
  expect(await database.query('select from pg_largeobject_metadata')).toEqual([]);
});

test('a confirm that is not the name of the database is refused', async () => {
  const { database, options } = await makeMigrated();
  await expect(resetSchema({ ...options, confirm: 'other' })).rejects.toMatchObject({ code: 'EM_RESET_REFUSED' });
  expect(await namesIn(database)).toEqual([{ name: 'Ada' }]);
});

test('a database whose journal says production is refused, in whichever schema the journal is', async () => {
  const { database, options } = await makeMigrated('production');
  const reset = resetSchema({ ...options, environment: 'test', confirm: database.name });
  await expect(reset).rejects.toMatchObject({ code: 'EM_RESET_REFUSED' });
  await database.query('create schema kept; alter table knex_migrations_journal set schema kept');
  await expect(resetSchema({ ...options, environment: 'test', confirm: database.name })).rejects.toMatchObject({
    code: 'EM_RESET_REFUSED',
  });
  expect(await namesIn(database)).toEqual([{ name: 'Ada' }]);
});

test('NODE_ENV=production is refused', async () => {
  const { database, options } = await makeMigrated();
  const code = `
    import { resetSchema } from './dist/testing/index.js';
    const { connection, migrations } = ${JSON.stringify(options)};
    await resetSchema({ connection, migrations, logger: false, confirm: ${JSON.stringify(database.name)}, environment: 'test' })
      .then(() => console.log('reset'), (error) => console.log(error.code));`;
  expect((await runCode(code, { env: { NODE_ENV: 'production' } })).stdout).toBe('EM_RESET_REFUSED\n');
  expect(await namesIn(database)).toEqual([{ name: 'Ada' }]);
});
