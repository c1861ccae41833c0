import { startTestDatabases, type Harness, type TestDatabasesOptions } from '../../src/testing/index.js';
import { afterFile } from '../support/cleanup.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, startServer, type TestDatabase as Maintenance } from '../support/servers.js';

export const files: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  '01_people.sql': `create table people (id bigint generated always as identity primary key, name text not null unique,
      initial text generated always as (left(name, 1)) stored);
    create table notes (id serial primary key, person bigint not null references people (id) on delete cascade, text text);
    create index notes_person on notes (person);
    create view named as select name from people;
    create type mood as enum ('calm', 'cross');
    create function hello(name text) returns text language sql immutable as $$ select 'hello ' || name $$;
    create function refuse() returns trigger language plpgsql as $$ begin raise 'not allowed'; end $$;
    create trigger guarded before delete on notes for each row when (old.text = 'guarded') execute function refuse();`,
  '02_countries.js': `
    export const up = async (knex) => {
      await knex.schema.createTable('countries', (t) => { t.text('code').primary(); t.text('name').notNull(); t.jsonb('facts'); t.binary('flag'); });
      await knex('countries').insert([{ code: 'de', name: 'Germany', facts: { eu: true }, flag: Buffer.from([0, 255, 92, 39]) },
        { code: 'it', name: "It's Italy", facts: null, flag: null }, { code: 'jp', name: 'a\\\\b "c", {d}', facts: '[1]', flag: Buffer.from('') }]);
      await knex.raw('create materialized view country_names as select name from countries order by name');
    };
    export const down = async (knex) => { await knex.raw('drop materialized view country_names'); await knex.schema.dropTable('countries'); };`,
};

/** A harness on the server that all files share, with a database of its own to keep its locks in; stopped after the file's tests. */
export async function startHarness(
  options: TestDatabasesOptions & { readonly major?: number } = {},
): Promise<{ readonly harness: Harness; readonly maintenance: Maintenance; readonly directory: string }> {
  const { major, ...rest } = options;
  const maintenance = await createDatabase(major === undefined ? {} : { major });
  const directory = await makeDirectory(files);
  const harness = await startTestDatabases({ migrations: directory, url: maintenance.url, ...rest });
  afterFile(async () => await harness.stop());
  return { harness, maintenance, directory };
}

/** The databases of harnesses whose locks are in this one. */
export async function ours(maintenance: Maintenance): Promise<string[]> {
  const rows = await maintenance.query(
    `select datname from pg_database where datname ~ ('^em_[tbc]_' || (select oid from pg_database where datname = current_database()) || '_') order by 1`,
  );
  return rows.map((row) => row['datname'] as string);
}

export { startServer };
