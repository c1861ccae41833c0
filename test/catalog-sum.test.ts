import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { catalogGlance, renderCatalogSum } from '../src/catalog-sum.js';
import { changes } from './schema/changes/index.js';
import { fixture } from './schema/fixture.js';
import { major } from './support/majors.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

const filling = `create table public.own (id serial primary key); create table app.wide as select 1 as a, repeat(md5(random()::text), 100) as b;
  create materialized view app.refreshed as select * from app.wide; create index refreshed_a on app.refreshed (a)`;
const withoutRare = `drop event trigger fired; drop statistics app.related; drop text search configuration app.words; drop foreign data wrapper files cascade`;

let database: TestDatabase;
let client: pg.Client;
let plain: pg.Client;
beforeAll(async () => {
  database = await createDatabase();
  client = await database.connect();
  await client.query(`${fixture} ${filling}`);
  plain = await (await createDatabase()).connect();
  await plain.query(`${fixture} ${filling}; ${withoutRare}`);
});

const sumText = `select ${renderCatalogSum(['public.own'])} as text`;
const readText = async (reader: pg.Client, text: string) => (await reader.query<{ text: string | null }>(text)).rows[0]?.text;
const sum = async () => await readText(client, sumText);
const textsOf = async (reader: pg.Client) => [await readText(reader, `select ${catalogGlance} as text`), await readText(reader, sumText)];
const isOfRare = (change: string) => /app\.words|\bfired\b|app\.related|\bremote\b|app\.far|\bfiles\b/.test(change);

// What writes to no row of the object itself, or to a catalog that nothing else writes to.
const others: readonly (readonly [string, string])[] = [
  ['create extension btree_gist schema app', 'drop extension btree_gist'],
  [
    'create extension btree_gist; alter extension btree_gist add function app.touch()',
    'alter extension btree_gist drop function app.touch()',
  ],
  ['alter sequence app.numbers owned by app.patients.id', 'alter sequence app.numbers owned by none'],
  [`comment on schema public is 'ours'`, 'comment on schema public is null'],
  [
    'create function app.less(int, int) returns bool language sql as $$ select $1 < $2 $$; create operator app.<<< (leftarg = int, rightarg = int, function = app.less)',
    'drop operator app.<<< (int, int)',
  ],
  ['create operator family app.steps using btree', 'alter operator family app.steps using btree add operator 1 < (int, int)'],
  [
    'alter operator family app.steps using btree add function 1 btint4cmp(int, int)',
    'alter operator family app.steps using btree rename to way',
  ],
  [
    'create operator class app.less for type int using btree family app.way as operator 3 =',
    'alter operator class app.less using btree rename to fewer',
  ],
  ['alter text search configuration app.words rename to terms', 'alter text search configuration app.terms rename to words'],
  ['create text search template app.template (lexize = dsimple_lexize)', 'alter text search template app.template rename to other'],
  [
    'create text search parser app.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)',
    'alter text search parser app.parser rename to other',
  ],
  [
    'create transform for app.mood language sql (from sql with function time_support(internal))',
    'drop transform for app.mood language sql',
  ],
  ['create schema exts; create extension hstore schema exts', 'alter extension hstore set schema app'],
  ['alter table app.documents alter pages set default 1', 'alter table app.documents alter pages set default 2'],
  [
    'create or replace aggregate app.sums(int) (sfunc = int4pl, stype = int)',
    'create or replace aggregate app.sums(int) (sfunc = int4mul, stype = int)',
  ],
  ['create operator family app.family using btree', 'drop operator family app.family using btree'],
  ['create text search dictionary app.words_of (template = simple)', 'alter text search dictionary app.words_of (stopwords = english)'],
  [
    'alter text search configuration app.words alter mapping for word with english_stem',
    'alter text search configuration app.words drop mapping for word',
  ],
  [`alter foreign table app.far options (set file 'g')`, `alter foreign table app.far options (set file 'f')`],
  [`alter server remote options (set host 'i')`, `alter server remote options (set host 'h')`],
  ['create cast (app.mood as int) with inout', 'drop cast (app.mood as int)'],
  [`create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8`, 'drop conversion app.latin'],
  ['alter event trigger fired disable', 'alter event trigger fired enable'],
  ['alter statistics app.related set statistics 7', 'alter statistics app.related set statistics -1'],
  [
    'alter default privileges in schema app grant select on tables to pg_monitor',
    'alter default privileges in schema app revoke select on tables from pg_monitor',
  ],
  [
    'begin; alter table app.loose add one int; savepoint s; alter table app.loose add two int; commit',
    'alter table app.loose drop one, drop two',
  ],
  [
    'create table app.bare (); create table app.bare_child () inherits (app.bare)',
    'alter table app.bare_child no inherit app.bare; drop table app.bare',
  ],
  // The row of another object changes its own line as well.
  [
    'create index i1 on app.loose (a); create index i2 on app.child (b)',
    'alter index app.i1 rename to i3; alter index app.i2 rename to i1; alter index app.i3 rename to i2',
  ],
  [
    'create sequence app.s1 start 5; create sequence app.s2 start 9',
    'alter sequence app.s1 rename to s3; alter sequence app.s2 rename to s1; alter sequence app.s3 rename to s2',
  ],
  [
    'create extension pg_trgm schema app; create index trigrams on app.patients using gin (name app.gin_trgm_ops)',
    'alter operator class app.gin_trgm_ops using gin rename to gin_other_ops',
  ],
  [
    `create extension unaccent schema app; alter table app.loose add plain text default app.unaccent('app.unaccent'::regdictionary, 'x')`,
    'alter text search dictionary app.unaccent rename to bare',
  ],
  [
    `create extension tablefunc schema app; create collation app.order_of (provider = libc, locale = 'C'); alter extension tablefunc add collation app.order_of`,
    'alter collation app.order_of rename to other_order',
  ],
  [
    'create foreign data wrapper of_extension; create server of_extension foreign data wrapper of_extension; create foreign table app.of_extension (a int) server of_extension; alter extension tablefunc add server of_extension',
    `alter foreign table app.of_extension options (add file 'f')`,
  ],
  ['create transform for int language sql (from sql with function time_support(internal))', 'drop transform for int language sql'],
];

// One of each rare kind: pg_depend has to tell that it is there.
const rare = [
  'create statistics app.first (dependencies) on patient_id, pages from app.documents',
  'create operator app.@+@ (leftarg = int, rightarg = int, function = int4pl)',
  'create operator family app.first using btree',
  'create operator class app.first for type int using btree as operator 1 <, function 1 btint4cmp(int, int)',
  `create collation app.first (provider = libc, locale = 'C')`,
  `create conversion app.first for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8`,
  'create language first handler plpgsql_call_handler',
  'create event trigger first on sql_drop execute function app.fire()',
  'create text search configuration app.first (copy = simple)',
  'create text search dictionary app.first (template = simple)',
  'create text search parser app.first (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)',
  'create text search template app.first (lexize = dsimple_lexize)',
  'create foreign data wrapper first; create server first foreign data wrapper first',
];

/** Tells that neither the glance nor the sum is as before, after the change and after what takes it back. */
async function expectSeen(reader: pg.Client, [change, undo]: readonly [string, string]): Promise<void> {
  const before = await textsOf(reader);
  await reader.query(change);
  const changed = await textsOf(reader);
  await reader.query(undo);
  const after = await textsOf(reader);
  expect(changed.filter((text, index) => text === before[index])).toEqual([]);
  expect(after.filter((text, index) => text === changed[index])).toEqual([]);
}

const pairs = changes.map(([change, undo]) => [change, undo] as const);

describe('a glance at the catalogs, and the sum over them, are others where objects of rare kinds are, after', () => {
  test.each([...pairs, ...others])('%s, and after %s', async (change, undo) => {
    await expectSeen(client, [change, undo]);
  });
});

describe('a glance at the catalogs, and the sum over them, are others where there are none, after', () => {
  test.each(pairs.filter(([change]) => !isOfRare(change)))('%s, and after %s', async (change, undo) => {
    await expectSeen(plain, [change, undo]);
  });
  test.each(rare)('%s', async (create) => {
    await expectSeen(plain, [`begin; ${create}`, 'rollback']);
  });
  test('a role that has a part in the schema is renamed', async () => {
    const role = await database.createRole();
    await plain.query(`grant select on app.patients to ${role.name}`);
    await expectSeen(plain, [`alter role ${role.name} rename to ${role.name}_x`, `alter role ${role.name}_x rename to ${role.name}`]);
    await plain.query(`revoke select on app.patients from ${role.name}`);
  });
  test.skipIf(major < 15)('a tablespace is renamed', async () => {
    const space = `space_${database.name}`;
    await plain.query('set allow_in_place_tablespaces = on');
    await plain.query(`create tablespace ${space} location ''`);
    await expectSeen(plain, [`alter tablespace ${space} rename to ${space}_x`, `drop tablespace ${space}_x`]);
  });
});

describe('both stay after', () => {
  test.each([
    ['analyze'],
    ['vacuum (freeze, analyze)'],
    [`insert into app.wide values (1, 'x'); update app.wide set a = 2; delete from app.wide`],
    [`select nextval('app.numbers')`],
    ['begin; alter table app.patients add undone int; rollback'],
    ['select pg_current_xact_id()'],
    ['create temporary table t (id serial primary key, name text)', 'drop table t'],
    ['set search_path = app', 'set timezone = $$Asia/Tokyo$$', 'set enable_seqscan = off', 'reset all'],
  ])('%s', async (...statements) => {
    for (const reader of [client, plain]) {
      const before = await textsOf(reader);
      for (const each of statements) await reader.query(each);
      expect(await textsOf(reader)).toEqual(before);
    }
  });
});

describe('the sum stays after', () => {
  test.each([
    ['vacuum full app.wide'],
    ['vacuum full pg_catalog.pg_attribute'],
    ['truncate app.wide'],
    ['refresh materialized view app.refreshed'],
    ['reindex table app.patients'],
    ['create temporary table t (id serial primary key, name text not null default $$x$$ check (name <> $$y$$)); create index on t (name)'],
    ['grant select on public.own to public'],
    ['set search_path = app; set timezone = $$Asia/Tokyo$$; set enable_seqscan = off'],
  ])('%s', async (statement) => {
    const before = await sum();
    for (const each of statement.split('; ')) await client.query(each);
    expect(await sum()).toBe(before);
  });
  test('a role comes that has no part in the schema, or may only read our own tables', async () => {
    const before = await sum();
    const role = await database.createRole();
    await client.query(`grant select on public.own to ${role.name}`);
    expect(await sum()).toBe(before);
  });
});

test('a role without any right may read it', async () => {
  const role = await database.createRole();
  const theirs = await database.connect(role.url);
  expect(await textsOf(theirs)).toEqual(await textsOf(client));
});

test('what another session has not committed yet is seen once it is', async () => {
  const other = await database.connect();
  await other.query('begin; alter table app.loose add later int');
  const before = await sum();
  await client.query('create table app.sooner ()');
  const between = await sum();
  await other.query('commit');
  expect(new Set([before, between, await sum()])).toHaveProperty('size', 3);
});
