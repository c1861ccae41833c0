import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diffSchema, fingerprint, isSameSchema, readSchema, type Change, type Schema } from '../../src/schema/index.js';
import { identifier } from '../../src/sql.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { changes } from './changes/index.js';
import { fixture, queryBy, queryOf } from './fixture.js';

let database: TestDatabase;
let original: Schema;

beforeAll(async () => {
  database = await createDatabase();
  await database.query(fixture);
  original = await readSchema(queryOf(database));
});

const namesOf = (changes: readonly Change[]): string[] =>
  changes.map(({ action, kind, identity }) => `${action} ${kind} ${identity}`).sort();

describe('a change by hand is seen and named, and taking it back restores the fingerprint', () => {
  let client: pg.Client;
  let before: Schema;

  beforeAll(async () => {
    client = await database.connect();
    before = original;
    return async () => await client.end(); // the copy of the database below wants to be alone
  });

  test.each(changes)('%s', async (change, undo, expected) => {
    const stored = before;
    await client.query(change);
    const live = await readSchema(queryBy(client));
    await client.query(undo);
    before = await readSchema(queryBy(client));

    expect(namesOf(diffSchema(stored, live))).toEqual(expected);
    expect(isSameSchema(fingerprint(stored), fingerprint(live))).toBe(false);
    expect(diffSchema(stored, before)).toEqual([]);
    expect(fingerprint(before)).toEqual(fingerprint(stored));
  });
});

test('dropping everything is one change for each object that no other takes with it', async () => {
  const other = await createDatabase();
  const empty = await readSchema(queryOf(other));

  expect(namesOf(diffSchema(original, empty))).toEqual([
    'dropped default privileges of postgres on tables in public',
    'dropped event trigger fired',
    'dropped foreign data wrapper files',
    'dropped publication changes',
    'dropped schema app',
    'dropped server remote',
  ]);
});

test('no two lines are of the same kind and name', () => {
  const names = original.lines.map(({ kind, identity }) => `${kind} ${identity}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

describe('the fingerprint stays what it was', () => {
  const unchanged = async (query = queryOf(database), excluded: readonly string[] = []): Promise<void> => {
    const live = await readSchema(query, { excluded });
    expect(diffSchema(original, live)).toEqual([]);
    expect(fingerprint(live)).toEqual(fingerprint(original));
  };

  test('when nothing happens', async () => await unchanged());

  test.each([
    ['rows are written', `insert into app.patients (name) select 'n' from generate_series(1, 1000); delete from app.patients`],
    ['a sequence moves on', `select nextval('app.numbers')`],
    ['statistics are collected', 'analyze'],
    ['tables are rewritten', 'vacuum full'],
    ['indexes are built again', 'reindex schema app'],
    ['a view is refreshed', 'refresh materialized view app.counts'],
    ['an extension is commented upon', `comment on extension plpgsql is 'text'`],
    ['a column was there and is gone', 'alter table app.patients add gap int; alter table app.patients drop gap'],
  ])('when %s', async (_, sql) => {
    await database.query(sql);
    await unchanged();
  });

  // What a dump and its restore do.
  test.each([
    [
      'constraint',
      `'alter table app.patients drop constraint patients_status_check, add constraint patients_status_check ' || pg_get_constraintdef(oid) from pg_constraint where conname = 'patients_status_check'`,
    ],
    ['view', `'create or replace view app.names as ' || pg_get_viewdef('app.names'::regclass)`],
    ['index', `'drop index app.patients_new; ' || pg_get_indexdef('app.patients_new'::regclass)`],
  ])('when a %s is made anew from what the server writes', async (_, definition) => {
    const [row] = await database.query(`select (select ${definition}) as sql`);
    await database.query(row?.['sql'] as string);
    await unchanged();
  });

  test('in a copy of the database', async () => {
    const copy = `${database.name}_copy`;
    await database.query(`create database ${identifier(copy)} template ${identifier(database.name)}`);
    const client = await database.connect(database.url.replace(/[^/]*$/, copy));
    await unchanged(queryBy(client));
    await client.end();
    await database.query(`drop database ${identifier(copy)}`);
  });

  test('while another session has a temporary table', async () => {
    const client = await database.connect();
    await client.query('create temporary table scratch (id serial primary key)');
    await unchanged();
    await client.end();
  });

  test('for a role without any right', async () => {
    const role = await database.createRole();
    const client = await database.connect(role.url);
    await unchanged(queryBy(client));
    await client.end();
  });

  test('beside the tables of the bookkeeping', async () => {
    await database.query(`
      create table public.knex_migrations (id serial primary key, name varchar(255));
      create table public.knex_migrations_lock (index serial primary key, is_locked int check (is_locked in (0, 1)));
      create table public.knex_migrations_journal (id bigint generated always as identity primary key, kind text not null);
      create index on public.knex_migrations_journal (kind);
      comment on column public.knex_migrations_journal.kind is 'text';
      grant select on public.knex_migrations to pg_monitor`);
    const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'];

    await unchanged(queryOf(database), tables);
    await unchanged(
      queryOf(database),
      tables.map((name) => `"public"."${name}"`),
    );
    const elsewhere = await readSchema(queryOf(database), { excluded: tables.map((name) => `"app"."${name}"`) });
    expect(namesOf(diffSchema(original, elsewhere))).toEqual(tables.map((name) => `added table public.${name}`).sort());
    await database.query(`drop table ${tables.join(', ')}`);
  });
});

describe('the settings of the session', () => {
  const settings = {
    search_path: 'app, public',
    timezone: 'Asia/Tokyo',
    datestyle: 'German, DMY',
    intervalstyle: 'sql_standard',
    extra_float_digits: '-3',
    bytea_output: 'escape',
    quote_all_identifiers: 'on',
    standard_conforming_strings: 'off',
  };
  let client: pg.Client;
  const current = async () =>
    (await client.query<{ name: string }>(`select name, setting from pg_settings where name = any ($1) order by name`, [names])).rows;
  const names = [...Object.keys(settings), 'lc_monetary', 'lock_timeout'].map(
    (name) => ({ timezone: 'TimeZone', datestyle: 'DateStyle', intervalstyle: 'IntervalStyle' })[name] ?? name,
  );

  beforeAll(async () => {
    client = await database.connect();
    for (const [name, value] of Object.entries(settings)) await client.query('select set_config($1, $2, false)', [name, value]);
  });
  afterAll(async () => await client.end());

  test('change nothing in what is read', async () => {
    expect(diffSchema(original, await readSchema(queryBy(client)))).toEqual([]);
  });

  test.each(['', 'begin'])('are the same after the reading as before (%s)', async (begin) => {
    const before = await current();
    await client.query(begin);
    await readSchema(queryBy(client));
    expect(await current()).toEqual(before);
    await client.query('rollback');
    expect(await current()).toEqual(before);
  });
});

describe('a lock on a table is waited for', () => {
  let reader: pg.Client;

  beforeAll(async () => {
    const holder = await database.connect();
    await holder.query('begin; lock table app.patients in access exclusive mode');
    reader = await database.connect();
    return async () => await holder.end();
  });

  test('as long as lockTimeoutMs says, which then is again what it was', async () => {
    await expect(readSchema(queryBy(reader), { lockTimeoutMs: 50 })).rejects.toMatchObject({ code: '55P03' });
    expect((await reader.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
  });

  test('else as long as the session says', async () => {
    await reader.query(`set lock_timeout = '50ms'`);
    await expect(readSchema(queryBy(reader))).rejects.toMatchObject({ code: '55P03' });
  });
});

test('the order in which options were set does not matter', async () => {
  const set = async (options: readonly string[]): Promise<Schema> => {
    await database.query(`alter table app.loose reset (${options.map((option) => option.split('=')[0]).join(', ')})`);
    for (const option of options) await database.query(`alter table app.loose set (${option})`);
    return await readSchema(queryOf(database));
  };
  const options = ['fillfactor=70', 'autovacuum_enabled=off', 'parallel_workers=2'];

  expect(fingerprint(await set(options))).toEqual(fingerprint(await set(options.toReversed())));
});

test('of an extension only its name is listed', async () => {
  const extensions = ['btree_gist', 'citext', 'cube', 'earthdistance', 'hstore', 'ltree', 'pg_stat_statements', 'postgres_fdw'];
  const other = await createDatabase();
  const before = await readSchema(queryOf(other));
  for (const name of extensions) await other.query(`create extension ${name}`);

  expect(namesOf(diffSchema(before, await readSchema(queryOf(other))))).toEqual(extensions.map((name) => `added extension ${name}`));
});

test('passwords in definitions are masked', async () => {
  const other = await createDatabase();
  await other.query(`
    create foreign data wrapper files;
    create server remote foreign data wrapper files options (password 'hunter2');
    create function leak() returns text language sql as 'select ''postgres://u:hunter2@h/d''';`);
  const { lines } = await readSchema(queryOf(other));

  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines.find(({ kind }) => kind === 'server')?.definition).toContain('password=***');
});
