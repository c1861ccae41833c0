import type { Row } from './row.js';

const totalOf = (text: string) => `create or replace function app.total() returns bigint language sql begin atomic ${text}; end`;
const doubleOf = (rest: string) => `create or replace function app.double(a int, b int default 2) returns int language sql ${rest}`;
const originalDouble = doubleOf(`as 'select a * b'`);

export const views: readonly Row[] = [
  ['create view app.all_names as select name from app.patients', 'drop view app.all_names', 'added view app.all_names'],
  [
    'create or replace view app.names as select id, name from app.patients',
    `create or replace view app.names as select id, name from app.patients where status in ('new', 'old')`,
    'changed view body app.names',
  ],
  ['alter view app.names set (security_barrier)', 'alter view app.names reset (security_barrier)', 'changed view app.names'],
  ['alter view app.names alter name set default 1', 'alter view app.names alter name drop default', 'changed column app.names.name'],
  [
    'drop materialized view app.counts; create materialized view app.counts as select status, count(id) as n from app.patients group by status',
    'drop materialized view app.counts; create materialized view app.counts as select status, count(*) as n from app.patients group by status',
    'changed view body app.counts',
  ],
  ['create unique index on app.counts (status)', 'drop index app.counts_status_idx', 'added index counts_status_idx on app.counts'],
  ['create rule quiet as on update to app.parent do instead nothing', 'drop rule quiet on app.parent', 'added rule quiet on app.parent'],
  ['alter table app.parent disable rule copied', 'alter table app.parent enable rule copied', 'changed rule copied on app.parent'],
];

export const sequences: readonly Row[] = [
  ['create sequence app.more', 'drop sequence app.more', 'added sequence app.more'],
  ['alter sequence app.numbers increment 2', 'alter sequence app.numbers increment 1', 'changed sequence app.numbers'],
  ['alter sequence app.numbers cycle', 'alter sequence app.numbers no cycle', 'changed sequence app.numbers'],
  ['alter sequence app.numbers as int', 'alter sequence app.numbers as bigint', 'changed sequence app.numbers'],
  ['alter sequence app.numbers owned by app.patients.id', 'alter sequence app.numbers owned by none', 'changed sequence app.numbers'],
];

export const routines: readonly Row[] = [
  [`create function app.f() returns int language sql as 'select 1'`, 'drop function app.f()', 'added function app.f()'],
  [
    `create function app.double(a text) returns text language sql as 'select a'`,
    'drop function app.double(text)',
    'added function app.double(a text)',
  ],
  [doubleOf(`as 'select b * a'`), originalDouble, 'changed function app.double(a integer, b integer)'],
  [
    doubleOf('return a * b'),
    originalDouble,
    ['added function body app.double(a integer, b integer)', 'changed function app.double(a integer, b integer)'],
  ],
  [doubleOf(`immutable as 'select a * b'`), originalDouble, 'changed function app.double(a integer, b integer)'],
  [
    'alter function app.double security definer',
    'alter function app.double security invoker',
    'changed function app.double(a integer, b integer)',
  ],
  [
    'alter function app.double set search_path = app',
    'alter function app.double reset all',
    'changed function app.double(a integer, b integer)',
  ],
  ['alter function app.double cost 7', 'alter function app.double cost 100', 'changed function app.double(a integer, b integer)'],
  [totalOf('select count(id) from app.patients'), totalOf('select count(*) from app.patients'), 'changed function body app.total()'],
  [`create procedure app.p(a int) language plpgsql as 'begin end'`, 'drop procedure app.p', 'added procedure app.p(IN a integer)'],
  ['create aggregate app.sum2(int) (sfunc = int4pl, stype = int)', 'drop aggregate app.sum2(int)', 'added aggregate app.sum2(integer)'],
  [
    'create trigger more after insert on app.patients for each row execute function app.touch()',
    'drop trigger more on app.patients',
    'added trigger more on app.patients',
  ],
  [
    'alter table app.documents disable trigger touched',
    'alter table app.documents enable trigger touched',
    'changed trigger touched on app.documents',
  ],
  [
    'alter table app.events_1 disable trigger logged',
    'alter table app.events_1 enable trigger logged',
    'added trigger logged on app.events_1',
  ],
  [
    'drop trigger touched on app.documents; create trigger touched before update on app.documents for each row when (old.body <> new.body) execute function app.touch()',
    'drop trigger touched on app.documents; create trigger touched before update on app.documents for each row execute function app.touch()',
    'changed trigger touched on app.documents',
  ],
  ['create event trigger more on sql_drop execute function app.fire()', 'drop event trigger more', 'added event trigger more'],
  ['alter event trigger fired disable', 'alter event trigger fired enable', 'changed event trigger fired'],
  ['create cast (app.mood as app.spare) with inout', 'drop cast (app.mood as app.spare)', 'added cast (app.mood as app.spare)'],
  ['create language again handler plpgsql_call_handler', 'drop language again', 'added language again'],
];

export const types: readonly Row[] = [
  [`create type app.size as enum ('s', 'm')`, 'drop type app.size', 'added enum app.size'],
  [`alter type app.spare add value 'three'`, `drop type app.spare; create type app.spare as enum ('one', 'two')`, 'changed enum app.spare'],
  [`alter type app.mood rename value 'sad' to 'down'`, `alter type app.mood rename value 'down' to 'sad'`, 'changed enum app.mood'],
  [
    'alter type app.address add attribute country text',
    'alter type app.address drop attribute country',
    'changed composite type app.address',
  ],
  ['create type app.pair as (a int, b int)', 'drop type app.pair', 'added composite type app.pair'],
  ['create domain app.word as text collate "C" not null', 'drop domain app.word', 'added domain app.word'],
  ['alter domain app.percentage set default 5', 'alter domain app.percentage drop default', 'changed domain app.percentage'],
  ['alter domain app.percentage set not null', 'alter domain app.percentage drop not null', 'changed domain app.percentage'],
  [
    'alter domain app.percentage add constraint even check (value % 2 = 0)',
    'alter domain app.percentage drop constraint even',
    'added constraint even on app.percentage',
  ],
  ['create type app.span as range (subtype = timestamptz)', 'drop type app.span', 'added range app.span'],
  [`create collation app.bytes (provider = libc, locale = 'C')`, 'drop collation app.bytes', 'added collation app.bytes'],
  [
    'create operator app.@+@ (leftarg = int, rightarg = int, function = int4pl)',
    'drop operator app.@+@ (int, int)',
    'added operator app.@+@(integer,integer)',
  ],
  [
    'create operator class app.backwards for type int using btree as operator 1 >, operator 3 =, operator 5 <, function 1 btint4cmp(int, int)',
    'drop operator family app.backwards using btree',
    ['added operator class app.backwards using btree', 'added operator family app.backwards using btree'],
  ],
  [`create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8`, 'drop conversion app.latin', 'added conversion app.latin'],
  [
    'create text search configuration app.more (copy = english)',
    'drop text search configuration app.more',
    'added text search configuration app.more',
  ],
  [
    'alter text search configuration app.words alter mapping for word with english_stem',
    'alter text search configuration app.words alter mapping for word with simple',
    'changed text search configuration app.words',
  ],
  [
    'create text search dictionary app.german (template = snowball, language = german)',
    'drop text search dictionary app.german',
    'added text search dictionary app.german',
  ],
];
