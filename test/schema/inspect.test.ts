import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diffSchema, fingerprint, isSameSchema, readSchema, type Change, type Schema } from '../../src/schema/index.js';
import { identifier } from '../../src/sql.js';
import { major } from '../support/majors.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { tableChanges } from './changes.js';
import { codeChanges } from './code-changes.js';
import { fixture, queryOf } from './fixture.js';

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
  const changes = [...tableChanges, ...codeChanges].filter(({ since = 14 }) => since <= major);

  test.each(changes.map((each) => [each.change, each] as const))('%s', async (change, { undo, expected }) => {
    const before = await readSchema(queryOf(database));
    await database.query(change);
    const live = await readSchema(queryOf(database));
    await database.query(undo);
    const restored = await readSchema(queryOf(database));

    expect(namesOf(diffSchema(before, live))).toEqual([...expected].sort());
    expect(isSameSchema(fingerprint(before), fingerprint(live))).toBe(false);
    expect(diffSchema(before, restored)).toEqual([]);
    expect(fingerprint(restored)).toEqual(fingerprint(before));
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
    ['a column was there and is gone', 'alter table app.patients add gap int; alter table app.patients drop gap'],
  ])('when %s', async (_, sql) => {
    await database.query(sql);
    await unchanged();
  });

  test('in a copy of the database', async () => {
    const copy = `${database.name}_copy`;
    await database.query(`create database ${identifier(copy)} template ${identifier(database.name)}`);
    const client = await database.connect(database.url.replace(/[^/]*$/, copy));
    await unchanged(async (text, values) => (await client.query(text, values && [...values])).rows as unknown[]);
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
    await unchanged(async (text, values) => (await client.query(text, values && [...values])).rows as unknown[]);
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
  const query = async (text: string, values?: readonly unknown[]) => (await client.query(text, values && [...values])).rows as unknown[];
  const current = async () =>
    await query(`select name, setting from pg_settings where name = any ($1) order by name`, [[...names, 'lc_monetary']]);
  const names = Object.keys(settings).map(
    (name) => ({ timezone: 'TimeZone', datestyle: 'DateStyle', intervalstyle: 'IntervalStyle' })[name] ?? name,
  );

  beforeAll(async () => {
    client = await database.connect();
    for (const [name, value] of Object.entries(settings)) await client.query('select set_config($1, $2, false)', [name, value]);
  });
  afterAll(async () => await client.end());

  test('change nothing in what is read', async () => {
    expect(diffSchema(original, await readSchema(query))).toEqual([]);
  });

  test.each(['', 'begin'])('are the same after the reading as before (%s)', async (begin) => {
    const before = await current();
    await client.query(begin);
    await readSchema(query);
    expect(await current()).toEqual(before);
    await client.query('rollback');
    expect(await current()).toEqual(before);
  });
});

test('a lock on a table that a view reads is waited for, as long as lock_timeout says', async () => {
  const [holder, reader] = [await database.connect(), await database.connect()];
  await holder.query('begin; lock table app.patients in access exclusive mode');
  await reader.query(`set lock_timeout = '50ms'`);

  await expect(
    readSchema(async (text, values) => (await reader.query(text, values && [...values])).rows as unknown[]),
  ).rejects.toMatchObject({ code: '55P03' });
  await holder.query('rollback');
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
