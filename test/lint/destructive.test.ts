import knexOf from 'knex';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LintRule } from '../../src/config/index.js';
import type { LintedStep } from '../../src/lint/index.js';
import { createExampleDatabase, findingsIn, lintExample, migrationsIn, type LintInput } from './fixture.js';

interface Case {
  readonly title: string;
  readonly given?: string;
  /** As in the examples of the page. */
  readonly sql: string;
  /** The messages of the rule; none where it is left out. Sizes are written `(size)`. */
  readonly says?: readonly string[];
  /** Undefined: there is no database. */
  readonly database?: undefined;
  readonly released?: LintInput['released'];
}

const blind = { database: undefined } as const;
const doubted = (message: string, unless: string) => [`not judged without a database: ${message}, unless ${unless}`];

const jsonSays = (name: string, column: string) =>
  `"${name}"."${column}" is json: it has no equality and no index, and is parsed again with every read`;
const keySays = (values: string) =>
  `"fresh"."id" is a primary key of ${values} values: when they are used up no row can be written, and a larger type writes the table anew`;
const charSays = '"fresh"."a" is char(n): it is filled up with blanks, which count in some comparisons and in others do not';
const longSays = (name: string, bytes: number) =>
  `"${name}" has ${bytes} bytes: the server cuts it off after 63, without a word that anyone reads`;

const table = {
  'rename-table': [
    {
      title: 'each table of a statement that renames one',
      sql: `alter table "orders" rename to "Orders";\nalter table countries rename to lands`,
      says: [
        '"orders" becomes "Orders": code that still uses the old name fails',
        '"countries" becomes "lands": code that still uses the old name fails',
      ],
    },
    { title: 'a table that is not there', sql: 'alter table if exists gone rename to away' },
    { title: 'a table that the migration has made', sql: 'create table fresh (id int);\nalter table fresh rename to ripe' },
    {
      title: 'one that it has made, and renamed already',
      sql: 'create table fresh (like orders);\nalter table fresh rename to a;\nalter table a rename to b',
    },
    { title: 'one made by a query', sql: 'select * into fresh from orders;\nalter table fresh rename to a' },
    {
      title: 'one of an earlier migration of the same run',
      sql: 'create table fresh (id int);\n-- next migration\nalter table fresh rename to a',
    },
    {
      title: 'one of an earlier migration that may be released alone',
      released: 'apart',
      sql: 'create table fresh (id int);\n-- next migration\nalter table fresh rename to a',
      says: ['"fresh" becomes "a": code that still uses the old name fails'],
    },
    {
      title: 'a view with the old name, but without all columns',
      sql: 'alter table countries rename to lands;\ncreate view countries as select code from lands',
      says: ['"countries" becomes "lands": code that still uses the old name fails'],
    },
    {
      title: 'a view with the old name and all columns',
      sql: 'alter table countries rename to lands;\ncreate view countries as select code, name from lands',
    },
    {
      title: 'a view elsewhere',
      given: 'create schema shop',
      sql: 'alter table countries rename to lands;\ncreate view shop.countries as select * from lands',
      says: ['"countries" becomes "lands": code that still uses the old name fails'],
    },
    {
      title: 'a view that is renamed',
      given: 'create view names as select name from customers',
      sql: 'alter view names rename to labels',
      says: ['"names" becomes "labels": code that still uses the old name fails'],
    },
    { title: 'a view of the migration', sql: 'create view names as select name from customers;\nalter view names rename to labels' },
    {
      title: 'a view of the migration, without a database',
      ...blind,
      sql: 'create view names as select name from customers;\nalter view names rename to labels',
    },
    {
      title: 'a table that the migration has made, without a database',
      ...blind,
      sql: 'create table fresh (id int);\nalter table fresh rename to a',
    },
    {
      title: 'any other table without a database',
      ...blind,
      sql: 'alter table shop.orders rename to sales',
      says: ['"shop"."orders" becomes "sales": code that still uses the old name fails'],
    },
    {
      title: 'inside a block of code',
      sql: 'do $$ begin alter table orders rename to sales; end $$',
      says: ['"orders" becomes "sales": code that still uses the old name fails'],
    },
    { title: 'the name of an index', sql: 'alter index orders_status_idx rename to status_idx' },
  ],
  'rename-column': [
    { title: 'a column of the migration', sql: 'alter table orders add column a int;\nalter table orders rename column a to b' },
    { title: 'a column of a table of the migration', sql: 'create table fresh (a int);\nalter table fresh rename a to b' },
    {
      title: 'a column of a view',
      given: 'create view names as select name from customers',
      sql: 'alter view names rename column name to label',
      says: ['"names"."name" becomes "label": code that still uses the old name fails'],
    },
    {
      title: 'a schema that search_path finds',
      given: 'create schema shop; create table shop.items (id int)',
      sql: 'set local search_path to shop;\nalter table items rename id to key',
      says: ['"shop"."items"."id" becomes "key": code that still uses the old name fails'],
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'alter table orders rename note to remark',
      says: ['"orders"."note" becomes "remark": code that still uses the old name fails'],
    },
    { title: 'the name of a constraint', sql: 'alter table orders rename constraint orders_quantity_check to positive' },
  ],
  'rename-schema': [
    { title: 'a schema of the migration', sql: 'create schema shop;\nalter schema shop rename to store' },
    {
      title: 'one that was there, created if not exists',
      given: 'create schema shop',
      sql: 'create schema if not exists shop;\nalter schema shop rename to store',
      says: ['schema "shop" becomes "store": code that still uses the old name fails'],
    },
  ],
  'rename-enum-value': [
    { title: 'a type of the migration', sql: `create type size as enum ('s');\nalter type size rename value 's' to 'small'` },
    {
      title: 'a type of another schema, without a database',
      ...blind,
      sql: `alter type shop.size rename value 's' to 'it''s small'`,
      says: [
        `the value 's' of "shop"."size" becomes 'it''s small': code that still writes the old one fails, and reads one that it does not know`,
      ],
    },
  ],
  'set-schema': [
    {
      title: 'a table of the migration',
      given: 'create schema shop',
      sql: 'create table fresh (id int);\nalter table fresh set schema shop',
    },
    {
      title: 'a materialized view',
      given: 'create schema shop; create materialized view names as select name from customers',
      sql: 'alter materialized view names set schema shop',
      says: ['"names" moves to the schema "shop": code that still looks for it in "public" fails'],
    },
    {
      title: 'a function',
      given: 'create schema shop; create function f() returns int language sql as $$ select 1 $$',
      sql: 'alter function f() set schema shop',
    },
  ],
  'drop-table': [
    { title: 'a table that is not there', sql: 'drop table if exists gone' },
    { title: 'a table of the migration', sql: 'create table fresh (id int);\ndrop table fresh' },
    { title: 'a temporary table', sql: 'create temp table fresh as select * from orders;\ndrop table fresh' },
    { title: 'a table of a schema of the migration', sql: 'create schema shop create table items (id int);\ndrop table shop.items' },
    {
      title: 'one that was there, created if not exists',
      sql: 'create table if not exists countries (id int);\ndrop table countries',
      says: ['drop table destroys "countries" (size) with its rows, and code that still uses it fails'],
    },
    {
      title: 'each of several',
      sql: 'drop table countries, empty',
      says: [
        'drop table destroys "countries" (size) with its rows, and code that still uses it fails',
        'drop table destroys "empty" (size) with its rows, and code that still uses it fails',
      ],
    },
    {
      title: 'a table that was dropped and made anew',
      sql: 'drop table countries;\ncreate table countries (id int);\ndrop table countries',
      says: ['drop table destroys "countries" (size) with its rows, and code that still uses it fails'],
    },
    {
      title: 'a partition',
      given: `create table days (at date) partition by range (at); create table days_2020 partition of days for values from ('2020-01-01') to ('2021-01-01')`,
      sql: 'drop table days_2020',
      says: ['drop table destroys "days_2020" (size) with its rows, and code that still uses it fails'],
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'drop table if exists "Orders"',
      says: ['drop table destroys "Orders" with its rows, and code that still uses it fails'],
    },
  ],
  'drop-column': [
    { title: 'a column that is not there', sql: 'alter table orders drop column if exists gone' },
    { title: 'a column of the migration', sql: 'alter table orders add column a int;\nalter table orders drop column a' },
    { title: 'a table of the migration', sql: 'create table fresh as select * from orders;\nalter table fresh drop column note' },
    {
      title: 'each of several commands',
      sql: 'alter table orders drop column note, add column remark text, drop column data',
      says: [
        'drop column destroys "note" of "orders" (size) with its values, and code that still uses it fails',
        'drop column destroys "data" of "orders" (size) with its values, and code that still uses it fails',
      ],
    },
    {
      title: 'in a block of code, in a condition',
      sql: 'do $$ begin if true then alter table orders drop column note; end if; end $$',
      says: ['drop column destroys "note" of "orders" (size) with its values, and code that still uses it fails'],
    },
    {
      title: 'a column of the migration, without a database',
      ...blind,
      sql: 'alter table orders add column a int;\nalter table orders drop column a',
    },
    {
      title: 'any other column without a database',
      ...blind,
      sql: 'alter table orders drop column note',
      says: ['drop column destroys "note" of "orders" with its values, and code that still uses it fails'],
    },
  ],
  'drop-schema': [
    { title: 'without CASCADE', given: 'create schema shop', sql: 'drop schema shop' },
    { title: 'one that is not there', sql: 'drop schema if exists shop cascade' },
    { title: 'an empty one', given: 'create schema shop', sql: 'drop schema shop cascade' },
    { title: 'one of the migration', sql: 'create schema shop;\ncreate table shop.items (id int);\ndrop schema shop cascade' },
    {
      title: 'one with several things in it',
      given: 'create schema shop; create table shop.items (id serial)',
      sql: 'drop schema shop cascade',
      says: ['drop schema destroys "shop" with all that is in it, 2 tables, views and sequences, and code that still uses them fails'],
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'drop schema shop cascade',
      says: ['drop schema destroys "shop" with all that is in it, and code that still uses them fails'],
    },
  ],
  'drop-view': [
    { title: 'one that is not there', sql: 'drop view if exists gone' },
    { title: 'one of the migration', sql: 'create view names as select name from customers;\ndrop view names' },
    {
      title: 'one that is made anew',
      given: 'create view names as select name from customers',
      sql: 'drop view names;\ncreate view names as select id, name from customers',
    },
    {
      title: 'one that is made anew with less',
      given: 'create view names as select id, name from customers',
      sql: 'drop view names;\ncreate view names as select id from customers',
      says: ['"names" is made anew without ("name"): code that still reads that fails'],
    },
    {
      title: 'a materialized one',
      given: 'create materialized view names as select name from customers',
      sql: 'drop materialized view names',
      says: ['drop materialized view takes "names" away: code that still reads it fails'],
    },
    {
      title: 'one of the migration, without a database',
      ...blind,
      sql: 'create view names as select name from customers;\ndrop view names',
    },
    {
      title: 'any other without a database',
      ...blind,
      sql: 'drop view names',
      says: ['drop view takes "names" away: code that still reads it fails'],
    },
  ],
  truncate: [
    { title: 'a table of the migration', sql: 'create table fresh (id int);\ntruncate fresh' },
    { title: 'an empty table', sql: 'truncate empty' },
    {
      title: 'each of several',
      sql: 'truncate orders, countries',
      says: [
        'truncate destroys all rows of "orders" (size) under ACCESS EXCLUSIVE: every read and write of it waits until the migration ends',
        'truncate destroys all rows of "countries" (size) under ACCESS EXCLUSIVE: every read and write of it waits until the migration ends',
      ],
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'truncate orders',
      says: ['truncate destroys all rows of "orders" under ACCESS EXCLUSIVE: every read and write of it waits until the migration ends'],
    },
  ],
  'drop-cascade': [
    { title: 'a table on which nothing depends', sql: 'drop table orders cascade' },
    { title: 'a table of the migration', sql: 'create table fresh (id int);\ndrop table fresh cascade' },
    { title: 'a column on which nothing depends', sql: 'alter table orders drop column note cascade' },
    {
      title: 'a column that a view may read',
      given: 'create view notes as select note from orders',
      sql: 'alter table orders drop column note cascade',
      says: ['cascade drops more than "orders"."note": it takes the view "notes" with it'],
    },
    {
      title: 'a key that another table points at',
      given: 'create table lines (order_id bigint references orders)',
      sql: 'alter table orders drop constraint orders_pkey cascade',
      says: ['cascade drops more than the constraint orders_pkey of "orders": it takes the foreign key of "lines" with it'],
    },
    { title: 'a check', sql: 'alter table orders drop constraint orders_quantity_check cascade' },
    {
      title: 'a view that another one reads',
      given: 'create view a as select note from orders; create view b as select * from a',
      sql: 'drop view a cascade',
      says: ['cascade drops more than "a": it takes the view "b" with it'],
    },
    {
      title: 'a type that a column has',
      given: `create type size as enum ('s'); alter table orders add column size size`,
      sql: 'drop type size cascade',
      says: ['cascade drops more than the type size: it takes columns of "orders" with it'],
    },
    {
      title: 'a type that is in no column',
      given: `create type size as enum ('s')`,
      sql: 'drop type size cascade',
    },
    {
      title: 'a function, of which nobody keeps a list',
      given: 'create function f() returns int language sql as $$ select 1 $$',
      sql: 'drop function f() cascade',
      says: ['cascade drops more than the function f: it takes whatever depends on it with it'],
    },
    {
      title: 'truncate',
      given: 'create table lines (order_id bigint references orders)',
      sql: 'truncate orders cascade',
      says: ['cascade empties more than "orders": it takes the rows of "lines" with it'],
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'drop table orders cascade',
      says: doubted('cascade drops more than "orders": it takes whatever depends on it with it', 'nothing depends on it'),
    },
  ],
  'drop-not-null': [
    { title: 'a column that may be null', sql: 'alter table orders alter column note drop not null' },
    { title: 'a table of the migration', sql: 'create table fresh (id int not null);\nalter table fresh alter column id drop not null' },
    {
      title: 'where it is set again',
      sql: 'alter table customers alter column name drop not null;\nalter table customers alter column name set not null',
    },
    {
      title: 'without a database',
      ...blind,
      sql: 'alter table customers alter column name drop not null',
      says: ['"customers"."name" may be null from now on: code that reads it meets a null where it never had one'],
    },
  ],
  'drop-constraint': [
    { title: 'one that is not there', sql: 'alter table orders drop constraint if exists gone' },
    {
      title: 'one of a table of the migration',
      sql: 'create table fresh (id int constraint c check (id > 0));\nalter table fresh drop constraint c',
    },
    {
      title: 'where another one of its kind takes its place',
      sql: 'alter table orders add constraint bounded check (quantity < 9) not valid;\nalter table orders drop constraint orders_quantity_check',
    },
    {
      title: 'where one of another kind is added',
      sql: 'alter table orders add constraint once unique (note);\nalter table orders drop constraint orders_quantity_check',
      says: [
        'the constraint orders_quantity_check of "orders" (CHECK ((quantity > 0))) is gone: what it refused is written from now on, and code that relied on it finds it',
      ],
    },
    {
      title: 'a CHECK that has made way for NOT NULL',
      given: 'alter table orders add constraint noted check (note is not null)',
      sql: 'alter table orders alter column note set not null;\nalter table orders drop constraint noted',
    },
  ],
  'rls-without-policy': [
    {
      title: 'with a policy that is there',
      given: 'create policy p on orders using (true)',
      sql: 'alter table orders enable row level security',
    },
    {
      title: 'with a policy that comes after it',
      sql: 'alter table orders enable row level security;\ncreate policy p on orders using (true)',
    },
    {
      title: 'with a policy on another table',
      sql: 'create policy p on customers using (true);\nalter table orders enable row level security',
      says: ['row level security without a policy hides "orders" (size): every role but its owner reads no row of it, and can write none'],
    },
    {
      title: 'with the only policy dropped before',
      given: 'create policy p on orders using (true)',
      sql: 'drop policy p on orders;\nalter table orders enable row level security',
      says: ['row level security without a policy hides "orders" (size): every role but its owner reads no row of it, and can write none'],
    },
    {
      title: 'a table of the migration too',
      sql: 'create table fresh (id int);\nalter table fresh enable row level security',
      says: ['row level security without a policy hides "fresh": every role but its owner reads no row of it, and can write none'],
    },
    { title: 'where it is turned off', sql: 'alter table orders disable row level security' },
    {
      title: 'without a database',
      ...blind,
      sql: 'alter table orders enable row level security',
      says: doubted(
        'row level security without a policy hides "orders": every role but its owner reads no row of it, and can write none',
        'it has a policy already',
      ),
    },
  ],
  'session-state-leak': [
    { title: 'for the transaction alone', sql: `set local lock_timeout to '2s'` },
    { title: 'for the transaction alone, by a function', sql: `select set_config('lock_timeout', '2s', true)` },
    { title: 'where there is no transaction', sql: `-- transaction: false\nset lock_timeout to '2s'` },
    { title: 'of the transaction itself', sql: 'set transaction isolation level serializable' },
    {
      title: 'by a function',
      sql: `select set_config('lock_timeout', '2s', false)`,
      says: [
        'this changes lock_timeout for the session, not for the transaction alone: it is put back when the migration ends, and holds for nothing after it',
      ],
    },
    {
      title: 'the role',
      sql: 'set role none',
      says: [
        'this changes the role for the session, not for the transaction alone: it is put back when the migration ends, and holds for nothing after it',
      ],
    },
    {
      title: 'reset',
      sql: 'reset all',
      says: [
        'this changes every setting for the session, not for the transaction alone: it is put back when the migration ends, and holds for nothing after it',
      ],
    },
  ],
  'opaque-code': [
    { title: `PostgreSQL's own functions`, sql: `select setval('s', 1), pg_sleep(0), count(*) from orders` },
    {
      title: 'a function that only looks',
      given: 'create function f() returns int stable language sql as $$ select 1 $$',
      sql: 'select f()',
    },
    { title: 'a text that is constant', sql: `do $$ begin execute 'alter table orders add column a int'; end $$` },
    {
      title: 'a volatile function',
      given: 'create schema shop; create function shop.f() returns int language sql as $$ select 1 $$',
      sql: 'select shop.f()',
      says: ['shop.f() is a function that may change anything: what it locks, changes or destroys nobody can tell before it runs'],
    },
    {
      title: 'a function of the migration',
      sql: 'create function f() returns int language sql as $$ select 1 $$;\nselect f()',
      says: ['f() is a function that may change anything: what it locks, changes or destroys nobody can tell before it runs'],
    },
    {
      title: 'a function that a block performs',
      given: 'create function f() returns int language sql as $$ select 1 $$',
      sql: 'do $$ begin perform f(); end $$',
      says: ['f() is a function that may change anything: what it locks, changes or destroys nobody can tell before it runs'],
    },
    ...[
      'do $$ declare r record; begin for r in select f() loop null; end loop; end $$',
      `do $$ declare c refcursor; begin open c for execute 'select f()'; end $$`,
      'declare c cursor for select f()',
      'prepare p as select f()',
      'copy (select f()) to stdout',
      'explain analyze select f()',
    ].map((sql) => ({
      title: `a function within ${sql}`,
      given: 'create function f() returns int language sql as $$ select 1 $$',
      sql,
      says: ['f() is a function that may change anything: what it locks, changes or destroys nobody can tell before it runs'],
    })),
    {
      title: 'a function of which the plan is explained',
      given: 'create function f() returns int language sql as $$ select 1 $$',
      sql: 'explain select f(); explain (analyze false) select f()',
    },
    {
      title: 'a procedure',
      sql: 'call shop.tidy(1)',
      says: ['call shop.tidy runs a procedure: what it locks, changes or destroys nobody can tell before it runs'],
    },
    {
      title: 'a block in another language',
      sql: `do language plpython3u $$ plpy.execute('drop table orders') $$`,
      says: ['the block is written in plpython3u: what it locks, changes or destroys nobody can tell before it runs'],
    },
    {
      title: 'a format()',
      sql: `do $$ declare t text := 'orders'; begin execute format('drop table %I', t); end $$`,
      says: [
        'the block executes SQL that it puts together while it runs: what it locks, changes or destroys nobody can tell before it runs',
      ],
    },
    {
      title: 'a grammar of the future',
      sql: 'alter table orders teleport to mars',
      says: [
        'the statement is beyond the parser, whose grammar is that of PostgreSQL 18: what it locks, changes or destroys nobody can tell before it runs',
      ],
    },
    { title: `PostgreSQL's own functions, without a database`, ...blind, sql: `select setval('s', 1), pg_catalog.anything(1)` },
    {
      title: 'other functions, without a database',
      ...blind,
      sql: 'select f()',
      says: doubted(
        'f() is a function that may change anything: what it locks, changes or destroys nobody can tell before it runs',
        `it is one of PostgreSQL's own, or only looks`,
      ),
    },
  ],
  'knex-placeholder-in-literal': [
    { title: 'a placeholder outside of literals', sql: 'update orders set note = $1 where id = $2' },
    { title: 'a literal that speaks of $1 where that is bound', sql: `insert into countries values ($1, 'costs $1')` },
    { title: 'numbers that knex has not counted', sql: `comment on table orders is 'from $5 on'` },
    { title: 'a hash of a password', sql: `update customers set name = '$2b$10$abc', email = '$1$salt$hash'` },
    { title: 'the argument of a function', sql: `create function f(int) returns int language sql as 'select $1'` },
    {
      title: 'a comment',
      sql: `comment on table orders is 'really$1'`,
      says: [`'really$1' would be stored as it stands: knex has put a placeholder in the place of a question mark`],
    },
    {
      title: 'a second one',
      sql: `alter table orders add column a text default 'ok', add column b text check (b in ('a$1', 'b$2'))`,
      says: [`'a$1' would be stored as it stands: knex has put a placeholder in the place of a question mark`],
    },
  ],
  'prefer-jsonb': [
    { title: 'an old table', sql: 'alter table orders add column a json', says: [jsonSays('orders', 'a')] },
    { title: 'each column', sql: 'create table fresh (a json, b jsonb, "C" json)', says: [jsonSays('fresh', 'a'), jsonSays('fresh', 'C')] },
    { title: 'without a database', ...blind, sql: 'create table fresh (a json)', says: [jsonSays('fresh', 'a')] },
  ],
  'prefer-bigint-pk': [
    { title: 'serial beside the column', sql: 'create table fresh (id serial primary key)', says: [keySays('2,147,483,647')] },
    { title: 'a key of the table', sql: 'create table fresh (id smallint, primary key (id))', says: [keySays('32,767')] },
    { title: 'bigserial', sql: 'create table fresh (id bigserial primary key, number int)' },
    { title: 'text', sql: 'create table fresh (id text primary key)' },
  ],
  'prefer-timestamptz': [
    { title: 'with time zone', sql: 'create table fresh (at timestamp with time zone, day date)' },
    {
      title: 'with a precision',
      sql: 'create table fresh (at timestamp(3))',
      says: ['"fresh"."at" is timestamp without time zone: which instant it is depends on who reads it'],
    },
  ],
  'prefer-identity': [
    { title: 'identity', sql: 'create table fresh (id int generated always as identity)' },
    {
      title: 'an old table',
      sql: 'alter table orders add column number serial',
      says: [
        '"orders"."number" is serial: its sequence has grants and an owner of its own, which are forgotten when the table is copied or given away',
      ],
    },
  ],
  'prefer-text': [{ title: 'without a length', sql: 'create table fresh (a varchar, b text, c char(2))' }],
  'ban-char': [
    { title: 'of length one', sql: 'create table fresh (a char)', says: [charSays] },
    { title: 'the type of the catalog', sql: 'create table fresh (a "char")' },
  ],
  'identifier-too-long': [
    { title: '63 bytes', sql: `create table ${'a'.repeat(63)} (id int)` },
    { title: '64 bytes', sql: `create table ${'A'.repeat(64)} (id int)`, says: [longSays('a'.repeat(64), 64)] },
    {
      title: 'bytes, not characters',
      sql: `alter table orders add constraint "${'ä'.repeat(32)}" check (true) not valid`,
      says: [longSays('ä'.repeat(32), 64)],
    },
    {
      title: 'a name once, with quotes in it',
      sql: `create table "${'a""'.repeat(40)}" (id int, constraint "${'a""'.repeat(40)}" check (true))`,
      says: [longSays('a""'.repeat(40), 80)],
    },
    { title: 'a long literal', sql: `comment on table orders is '${'a'.repeat(90)}'` },
  ],
} satisfies Partial<Record<LintRule, readonly Case[]>>;

let client: pg.Client;
beforeAll(async () => {
  const database = await createExampleDatabase();
  await database.query('create table empty (id bigint)');
  client = await database.connect();
});

const cases = Object.entries(table).flatMap(([rule, each]) => each.map((one: Case) => ({ rule: rule as LintRule, ...one })));

describe.each(cases)('$rule', ({ rule, title, given, sql, says = [], released, ...rest }) => {
  test(title, async () => {
    await client.query('begin');
    if (given) await client.query(given);
    const connection = 'database' in rest ? undefined : client;
    const options = { rules: { [rule]: 'warn' } as const };
    const input = { client: connection, migrations: migrationsIn(`${sql}\n`), options, ...(released && { released }) };
    const linted = await lintExample(input).finally(async () => await client.query('rollback'));
    expect(messagesOf(rule, linted)).toEqual(says);
  });
});

function messagesOf(rule: LintRule, linted: readonly LintedStep[]): string[] {
  const found = findingsIn(linted).filter(({ code }) => code === rule);
  return found.map(({ message }) => message.replace(/\([\d.]+ \w+, about [\d,]+ rows\)/g, '(size)'));
}

test('what knex itself sends is seen', async () => {
  const knex = knexOf({ client: 'pg' });
  const { positionBindings } = knex.client as { positionBindings(sql: string): string };
  const built = knex.schema.alterTable('orders', (orders) => {
    orders.string('hint').defaultTo('why?').comment('really?');
    orders.enu('size', ['s?', 'm']);
  });
  const raw = String(knex.raw(`alter table orders add column asked text default 'why\\?'`).toSQL().sql);
  const sent = [...(built.toSQL() as unknown as { sql: string }[]).map(({ sql }) => sql), raw].map((sql) => positionBindings(sql));
  const linted = await lintExample({ client: undefined, migrations: [{ transaction: true, statements: sent }] });
  expect(messagesOf('knex-placeholder-in-literal', linted)).toEqual(
    ['why$1', 'really$1'].map(
      (each) => `'${each}' would be stored as it stands: knex has put a placeholder in the place of a question mark`,
    ),
  );
});
