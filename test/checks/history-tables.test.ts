import { describe, expect, test } from 'vitest';
import { runChecks } from '../../src/checks/index.js';
import { renderCreateTables, tablesOf } from '../../src/history/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { findingsOf, only, withInput } from './fixture.js';

const tables = (schemaName?: string) => renderCreateTables(tablesOf({ tableName: 'knex_migrations', schemaName }));
const pending = [{} as never];

// On 14 everybody may create in public.
async function closedDatabase(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query('revoke create on schema public from public');
  return database;
}

// Without the right to read the history there is nothing to check: the boot has been refused before.
async function createReader(database: TestDatabase): ReturnType<TestDatabase['createRole']> {
  const role = await database.createRole();
  await database.query(`grant select on knex_migrations to ${role.name}`);
  return role;
}

describe('role-privileges', () => {
  test('refuses a role that cannot make the tables, with the grant to run, which is enough', async () => {
    const database = await closedDatabase();
    const role = await database.createRole();
    const findings = await findingsOf(role.url, 'role-privileges', { input: { pending } });
    expect(findings).toEqual([
      {
        code: 'role-privileges',
        level: 'error',
        message: `the role "${role.name}" may not create on schema "public"`,
        remedy: `Run as the owner: grant create on schema "public" to "${role.name}";`,
      },
    ]);
    await runRemedy(database, findings[0]!.remedy);
    expect(await findingsOf(role.url, 'role-privileges', { input: { pending } })).toEqual([]);
  });

  test('refuses a role that cannot use the tables, in one finding, whose grants are enough', async () => {
    const database = await closedDatabase();
    await database.query('create schema "Our history"');
    await database.query(tables('Our history'));
    const role = await database.createRole();
    const table = (name: string) => `"Our history"."${name}"`;
    await database.query(`grant usage on schema "Our history" to ${role.name}`);
    await database.query(`grant select on all tables in schema "Our history" to ${role.name}`);
    const options = { migrations: { schemaName: 'Our history' } };
    const findings = await findingsOf(role.url, 'role-privileges', { options });
    expect(findings).toEqual([
      {
        code: 'role-privileges',
        level: 'error',
        message: [
          `the role "${role.name}" may not insert on ${table('knex_migrations')}`,
          `nor usage on sequence ${table('knex_migrations_id_seq')}`,
          `nor insert, update, delete on ${table('knex_migrations_lock')}`,
          `nor usage on sequence ${table('knex_migrations_lock_index_seq')}`,
          `nor insert, update on ${table('knex_migrations_journal')}`,
        ].join(', '),
        remedy: [
          `Run as the owner: grant insert on ${table('knex_migrations')} to "${role.name}";`,
          `grant usage on sequence ${table('knex_migrations_id_seq')} to "${role.name}";`,
          `grant insert, update, delete on ${table('knex_migrations_lock')} to "${role.name}";`,
          `grant usage on sequence ${table('knex_migrations_lock_index_seq')} to "${role.name}";`,
          `grant insert, update on ${table('knex_migrations_journal')} to "${role.name}";`,
        ].join(' '),
      },
    ]);
    await runRemedy(database, findings[0]!.remedy);
    expect(await findingsOf(role.url, 'role-privileges', { options })).toEqual([]);
  });

  test('what it asks for is enough to write the history, the lock and the journal', async () => {
    const database = await closedDatabase();
    await database.query(tables());
    const role = await createReader(database);
    await runRemedy(database, await withRemedy(role.url));
    const client = await database.connect(role.url);
    await client.query(`insert into knex_migrations (name, batch, migration_time) values ('a', 1, now())`);
    await client.query('insert into knex_migrations_lock (is_locked) values (1)');
    await client.query('update knex_migrations_lock set is_locked = 0');
    await client.query('delete from knex_migrations_lock');
    await client.query(
      `insert into knex_migrations_journal (run, kind, detail) values (gen_random_uuid(), 'owner', '{}')
       on conflict (kind) where kind = 'owner' do update set detail = excluded.detail`,
    );
    await client.query('begin; lock table knex_migrations_lock in exclusive mode; commit');
  });

  test('only warns when the tables are there and just the migrations may want to create something', async () => {
    const database = await closedDatabase();
    await database.query(tables());
    const role = await createReader(database);
    await runRemedy(database, await withRemedy(role.url));
    expect(await findingsOf(role.url, 'role-privileges', { input: { pending } })).toEqual([
      {
        code: 'role-privileges',
        level: 'warn',
        message: `the role "${role.name}" may not create anything in the schema "public", as a pending migration may want to`,
        remedy: `Where it does, run as the owner: grant create on schema "public" to "${role.name}";`,
      },
    ]);
  });

  test('refuses a schema that is not there', async () => {
    const database = await closedDatabase();
    const role = await database.createRole();
    const options = { migrations: { schemaName: 'nowhere' } };
    const findings = await findingsOf(role.url, 'role-privileges', { options });
    expect(findings).toEqual([
      {
        code: 'role-privileges',
        level: 'error',
        message: 'the schema "nowhere" of the history does not exist, and neither knex nor ensure-migrated creates it',
        remedy: `Run: create schema "nowhere" authorization "${role.name}";`,
      },
    ]);
    await runRemedy(database, findings[0]!.remedy);
    expect(await findingsOf(role.url, 'role-privileges', { options })).toEqual([]);
  });

  test('refuses a search_path on which there is no schema', async () => {
    const database = await closedDatabase();
    await database.query('revoke usage on schema public from public');
    const role = await database.createRole();
    const findings = await findingsOf(role.url, 'role-privileges');
    expect(findings).toEqual([
      {
        code: 'role-privileges',
        level: 'error',
        message: `no schema of the search_path is there for the role "${role.name}": nothing can be created without a schema`,
        remedy: `Set migrations.schemaName, or run: grant usage, create on schema public to "${role.name}";`,
      },
    ]);
    await runRemedy(database, findings[0]!.remedy);
    expect(await findingsOf(role.url, 'role-privileges')).toEqual([]);
  });

  test('finds nothing for the owner', async () => {
    const database = await createDatabase();
    await database.query(tables());
    expect(await findingsOf(database.url, 'role-privileges', { input: { pending } })).toEqual([]);
  });

  async function withRemedy(url: string): Promise<string> {
    return (await findingsOf(url, 'role-privileges'))[0]!.remedy;
  }

  async function runRemedy(database: TestDatabase, remedy: string): Promise<void> {
    await database.query(/(grant|create) .*$/.exec(remedy)![0]);
  }
});

describe('search-path-ambiguous', () => {
  const remedy = 'Set migrations.schemaName to the schema whose history is the right one, and drop the other.';
  const finding = (message: string) => [{ code: 'search-path-ambiguous', level: 'error', message, remedy }];

  test('finds nothing on an empty database, and nothing with one history where new tables go', async () => {
    const database = await createDatabase();
    expect(await findingsOf(database.url, 'search-path-ambiguous')).toEqual([]);
    await database.query(tables());
    expect(await findingsOf(database.url, 'search-path-ambiguous')).toEqual([]);
  });

  test('refuses two that are visible, unless the options name one', async () => {
    const database = await createDatabase();
    await database.query('create schema other');
    await database.query(tables());
    await database.query(tables('other'));
    expect(await findingsOf(database.url, 'search-path-ambiguous')).toEqual([]); // the other one is not on the search_path
    await database.query(`alter database ${database.name} set search_path = public, other`);
    expect(await findingsOf(database.url, 'search-path-ambiguous')).toEqual(
      finding(
        'the table "knex_migrations" is in the schema "public" and "other" of the search_path, where new tables go to "public": knex and others may not mean the same one',
      ),
    );
    const options = { migrations: { schemaName: 'other' } };
    expect(await findingsOf(database.url, 'search-path-ambiguous', { options })).toEqual([]);
  });

  test('refuses one that is visible, but not where knex looks: a schema of the name of the role has come before it', async () => {
    const database = await createDatabase();
    await database.query(tables());
    const role = await createReader(database);
    await database.query(`create schema ${role.name} authorization ${role.name}`);
    expect(await findingsOf(role.url, 'search-path-ambiguous')).toEqual(
      finding(
        `the table "knex_migrations" is in the schema "public" of the search_path, where new tables go to "${role.name}": knex and others may not mean the same one`,
      ),
    );
    const rules = only({ 'search-path-ambiguous': { level: 'error', except: ['public'] } });
    expect(await withInput(role.url, { rules }, runChecks)).toEqual([]);
  });
});
