import { describe, expect, test } from 'vitest';
import { describeStatement } from '../../src/source/index.js';

describe('a statement that can be settled', () => {
  test.each([
    [
      'create index concurrently documents_created_at_idx on documents (created_at)',
      {
        summary: 'create index concurrently documents_created_at_idx on documents',
        index: { name: 'documents_created_at_idx', table: 'documents' },
      },
    ],
    [
      'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "My Idx" ON clinic."T" USING btree (a)',
      {
        summary: 'create unique index concurrently if not exists "My Idx" on clinic."T" using btree',
        index: { schema: 'clinic', name: 'My Idx', table: 'T' },
      },
    ],
    [
      'create index concurrently Mixed_Case on T (a)',
      { summary: 'create index concurrently mixed_case on t', index: { name: 'mixed_case', table: 't' } },
    ],
    [
      "-- why\ncreate /* how */ index concurrently a on t (x) where y = 'secret'",
      { summary: 'create index concurrently a on t', index: { name: 'a', table: 't' } },
    ],
  ])('%s', async (text, expected) => {
    expect(await describeStatement(text)).toEqual({ kind: 'create-index-concurrently', ...expected });
  });

  test.each([
    ['drop index concurrently a', { summary: 'drop index concurrently a', index: { name: 'a' } }],
    [
      'drop index concurrently if exists s."A" cascade',
      { summary: 'drop index concurrently if exists s."A" cascade', index: { schema: 's', name: 'A' } },
    ],
  ])('%s', async (text, expected) => {
    expect(await describeStatement(text)).toEqual({ kind: 'drop-index-concurrently', ...expected });
  });
});

test.each([
  ['create index concurrently on t (a)', 'other'], // the server makes the name up
  ['create index a on t (a)', 'other'],
  ['drop index concurrently a, b', 'other'],
  ['drop index a', 'other'],
  ['reindex index concurrently a', 'other'],
  ['alter table t add column a int', 'other'],
  ['begin', 'begin'],
  ['start transaction isolation level serializable', 'begin'],
  ['commit', 'other'],
  ['rollback', 'other'],
  ['savepoint a', 'other'],
  ["set search_path = 'a'", 'setting'],
  ['set local lock_timeout to 100', 'setting'],
  ['set role a', 'setting'],
  ['reset all', 'setting'],
  ['reset role', 'setting'],
  ['alter system set work_mem = 1', 'other'],
  ['show server_version', 'read'],
  ['select 1', 'read'],
  // knex's hasTable and hasColumn
  ['select * from information_schema.tables where table_name = $1 and table_schema = current_schema()', 'read'],
  ['select * from "information_schema"."columns" where table_name = $1 and column_name = $2', 'read'],
  ["select to_regclass('t')", 'read'],
  ['select count(*) from pg_catalog.pg_class c join pg_index i on i.indexrelid = c.oid where not i.indisvalid', 'read'],
  ['with x as (select 1) select * from pg_class union select * from pg_class', 'read'],
  ['select * from patients', 'other'],
  ['select * from clinic.pg_class', 'other'],
  ['select 1 where exists (select from patients)', 'other'],
  ['select pg_terminate_backend(pid) from pg_stat_activity', 'other'],
  ["select nextval('s')", 'other'],
  ['select clinic.count()', 'other'],
  ['select * from fill()', 'other'],
  ['select 1 into copied from pg_class', 'other'],
  ['select * from pg_class for update', 'other'],
  ['with x as (insert into t values (1) returning *) select 1', 'other'],
  ['explain analyze delete from t', 'other'],
  ['explain (verbose, costs off) select a > 1 from only t', 'read'],
  ['select * from pg_catalog.pg_partition_tree($1::oid)', 'read'],
  ['alter table t add c int /* ensure-migrated: resumable */', 'resumable'],
  ['do $$ begin commit; end $$ /* ensure-migrated: resumable */', 'resumable'],
  ['select 1 /* ensure-migrated: resumable */', 'read'],
  ['/* ensure-migrated: resumable */ alter table t add c int', 'other'],
  ["insert into t values ('/* ensure-migrated: resumable */')", 'other'],
  ['update t set a = a + 1; alter table t add c int /* ensure-migrated: resumable */', 'other'],
  ['set role a; select 1', 'other'],
  ['', 'other'],
])('%j is of kind %s', async (text, kind) => {
  const { kind: found, index } = await describeStatement(text);
  expect({ found, index }).toEqual({ found: kind, index: undefined });
});

describe('a summary holds command words and names, no values', () => {
  test.each([
    ["insert into patients (name) values ('secret')", 'insert into patients'],
    ["insert into patients values ('secret')", 'insert into patients'],
    ["update patients set name = 'secret' where id = 7", 'update patients set name'],
    ["delete from patients where name = 'secret'", 'delete from patients'],
    ["alter role clerk with login password 'secret'", 'alter role clerk with login password'],
    ['alter role clerk set search_path to secret', 'alter role clerk set search_path'],
    ['set clinic.key to secret', 'set clinic.key'],
    ["set clinic.key = 'secret'", 'set clinic.key'],
    ["alter table a.patients add column note text default 'secret'", 'alter table a.patients add column note text'],
    ["create subscription s connection 'secret' publication p", 'create subscription s connection'],
    ["comment on table patients is E'secret'", 'comment on table patients is'],
    ["comment on table patients is U&'secret'", 'comment on table patients is'],
    ['do $body$ begin perform secret; end $body$', 'do'],
    ["copy patients from '/secret'", 'copy patients from'],
    ['select name, "Born" from patients where secret = $1', 'select name, "Born" from patients'],
    ['select * from patients limit 5', 'select * from patients limit'],
    ['/* secret */ truncate patients -- secret', 'truncate patients'],
    ["select 1; select 'secret'; select 2", 'select and 2 more'],
    ['vacuum (analyze) patients', 'vacuum'],
    ['alter user clerk passwrd "secret"', 'alter user'], // cannot be parsed: the command words only
    ["insert into 'secret", 'insert into'],
    ['secret statement', 'a statement that cannot be parsed'],
    ["select'secret'", 'a statement'],
    ['', 'nothing'],
  ])('%s', async (text, summary) => {
    expect((await describeStatement(text)).summary).toBe(summary);
  });

  test('and is cut short', async () => {
    const { summary } = await describeStatement(`drop table ${Array.from({ length: 60 }, (_, index) => `table_${index}`).join(', ')}`);
    expect(summary).toHaveLength(120);
    expect(summary).toMatch(/^drop table table_0, table_1, .*\.\.\.$/);
  });
});
