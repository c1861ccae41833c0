import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LintRule } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { major } from '../support/majors.js';
import { createExampleDatabase, findingsIn, lintExample, migrationsIn } from './fixture.js';

let client: pg.Client;

beforeAll(async () => {
  const database = await createExampleDatabase();
  await database.query(tables);
  client = await database.connect();
});
beforeEach(async () => void (await client.query("begin; set local time zone 'UTC'")));
afterEach(async () => void (await client.query('rollback')));

// All but those named `few_` and `empty_` have more rows than a small table.
const tables = `
  create schema sales;
  create table sales."Orders" (id bigint, "Customer" bigint, note text);
  create table sales.items (id bigint primary key, label varchar(10));
  create table few_items (id bigint, order_id bigint, note text);
  create table empty_items (id bigint, order_id bigint, note text);
  create table events (id bigint, day date not null, kind text) partition by range (day);
  create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
  create type mood as enum ('good', 'bad');
  create domain short_code as varchar(20);
  create domain filled as text check (value <> '');
  create table parcels (code filled, short short_code, net cidr, tags varchar(10)[], mood mood, word text, number numeric(8, 2), seen timestamp(3),
    moved timestamptz, label varchar(20), state varchar(10), constraint parcels_state check (state <> ''), bits bit(3), fixed char(5));
  create index parcels_word on parcels (word);
  create index parcels_label on parcels (label);
  create function moving() returns int language plpgsql as 'begin return 1; end';
  create function fixed() returns int language plpgsql immutable as 'begin return 1; end';
  create table keyed (id bigint not null, part int, note text, constraint keyed_part check (part is not null and part > 0));
  create unique index keyed_id on keyed (id);
  create unique index keyed_part_key on keyed (part);
  create unique index keyed_note on keyed (note);
  alter table orders add constraint orders_amount_range check (amount >= 0) not valid;
  insert into sales."Orders" select g, g, '' from generate_series(1, 2000) g;
  insert into sales.items select g from generate_series(1, 2000) g;
  insert into few_items select g from generate_series(1, 10) g;
  insert into events select g, '2024-02-02' from generate_series(1, 2000) g;
  insert into parcels (code) select 'x' from generate_series(1, 2000) g;
  insert into keyed select g, g, g from generate_series(1, 2000) g;
  analyze`;

/** Title, statements, and what the rule finds: its messages up to the size of the table. */
type Case = readonly [title: string, sql: string, ...found: readonly string[]];

const cases: Partial<Readonly<Record<LintRule, readonly Case[]>>> = {
  'set-not-null-scan': [
    ['a column that is NOT NULL already', 'alter table orders alter column id set not null'],
    ['a validated CHECK of more than this', 'alter table keyed alter column part set not null'],
    ['a CHECK that is not validated', 'alter table orders alter column amount set not null', 'set not null reads all of "orders"'],
    [
      'a CHECK of either this or something else',
      `alter table keyed add check (note is not null or part > 0);
      alter table keyed alter column note set not null`,
      'set not null reads all of "keyed"',
    ],
    [
      'what knex sends for .notNullable().alter()',
      `alter table "orders" alter column "id" drop default;
      alter table "orders" alter column "id" drop not null;
      alter table "orders" alter column "id" type bigint using ("id"::bigint);
      alter table "orders" alter column "id" set not null`,
      'set not null reads all of "orders"',
    ],
    [
      'the same in one statement',
      'alter table sales.items alter id drop not null, alter id set not null',
      'set not null reads all of "sales"."items"',
    ],
    [
      'a CHECK that was validated a migration ago',
      `alter table orders add constraint c check (note is not null) not valid;
-- next migration
alter table orders validate constraint c;
-- next migration
alter table orders alter note set not null`,
    ],
    [
      'a CHECK that was dropped before',
      `alter table keyed drop constraint keyed_part;
      alter table keyed alter part set not null`,
      'set not null reads all of "keyed"',
    ],
    [
      'several columns',
      'alter table orders alter note set not null, alter status set not null',
      'set not null reads all of "orders"',
      'set not null reads all of "orders"',
    ],
    [
      'a quoted name in another schema',
      'alter table sales."Orders" alter "Customer" set not null',
      'set not null reads all of "sales"."Orders"',
    ],
    [
      'a schema by search_path',
      `set search_path to sales;
      alter table "Orders" alter "Customer" set not null`,
      'set not null reads all of "sales"."Orders"',
    ],
    ['a partitioned table', 'alter table events alter kind set not null', 'set not null reads all of "events"'],
    ['a block', 'do $$ begin alter table orders alter note set not null; end $$', 'set not null reads all of "orders"'],
    [
      'a table under its new name',
      `alter table orders rename to purchases;
      alter table purchases alter note set not null`,
      'set not null reads all of "purchases"',
    ],
    ['a small table', 'alter table few_items alter note set not null'],
    ['an absent table', 'alter table nowhere alter note set not null'],
    ['a table of the same migration', 'create table n (a int);\nalter table n alter a set not null'],
    ['one that was renamed', 'create table n (a int);\nalter table n rename to m;\nalter table m alter a set not null'],
    ['one that moved', 'create table n (a int);\nalter table n set schema sales;\nalter table sales.n alter a set not null'],
    ['one by LIKE', 'create table n (like orders);\nalter table n alter note set not null'],
    ['one by CREATE TABLE AS', 'create table n as select * from orders;\nalter table n alter note set not null'],
    ['one by SELECT INTO', 'select * into n from orders;\nalter table n alter note set not null'],
    ['one inside CREATE SCHEMA', 'create schema s create table n (a int);\nalter table s.n alter a set not null'],
    ['a temporary one that hides another', 'create temp table orders (note text);\nalter table orders alter note set not null'],
    ['one of a migration before', 'create table n (a int);\n-- next migration\nalter table n alter a set not null'],
    [
      'one that is there in spite of IF NOT EXISTS',
      'create table if not exists orders (note text);\nalter table orders alter note set not null',
      'set not null reads all of "orders"',
    ],
  ],
  'validate-same-tx': [
    [
      'in another transaction',
      'alter table orders add check (id > 0) not valid;\n-- next migration\nalter table orders validate constraint orders_id_check',
    ],
    [
      'outside of a transaction',
      '-- transaction: false\nalter table orders add constraint c check (id > 0) not valid;\nalter table orders validate constraint c',
    ],
    [
      'a foreign key',
      'alter table orders add constraint f foreign key (customer_id) references customers not valid;\nalter table orders validate constraint f',
      'validate constraint f reads all of "orders"',
    ],
    [
      'after another lock on the table',
      'alter table orders add column a int;\nalter table orders validate constraint orders_amount_range',
      'validate constraint orders_amount_range reads all of "orders"',
    ],
    [
      'after a lock that lets writes through',
      'alter table orders alter note set statistics 10;\nalter table orders validate constraint orders_amount_range',
    ],
    [
      'in one statement',
      'alter table orders add constraint c check (id > 0) not valid, validate constraint c',
      'validate constraint c reads all of "orders"',
    ],
    [
      'after a commit of its own',
      'alter table orders add constraint c check (id > 0) not valid;\ncommit;\nbegin;\nalter table orders validate constraint c',
    ],
    ['what is validated already', 'alter table orders add column a int;\nalter table orders validate constraint orders_quantity_check'],
    ['a small table', 'alter table few_items add constraint c check (id > 0) not valid;\nalter table few_items validate constraint c'],
  ],
  'add-check-validated': [
    ['NOT VALID', 'alter table orders add check (id > 0) not valid'],
    ['beside a new column', 'alter table orders add column a int check (a > 0)', 'add check reads all of "orders"'],
    ['beside a column that is there', 'alter table orders add column if not exists note text check (note <> $$x$$)'],
    [
      'several',
      'alter table orders add check (id > 0), add check (id > 1)',
      'add check reads all of "orders"',
      'add check reads all of "orders"',
    ],
    ['a partitioned table', 'alter table events add check (id > 0)', 'add check reads all of "events"'],
    ['a new table', 'create table n (a int check (a > 0));\nalter table n add check (a > 1)'],
    ['a small table', 'alter table few_items add check (id > 0)'],
    ['a block', 'do $$ begin alter table orders add check (id > 0); end $$', 'add check reads all of "orders"'],
    [
      'SQL that a block puts together of one literal',
      "do $$ begin execute 'alter table orders add check (id > 0)'; end $$",
      'add check reads all of "orders"',
    ],
  ],
  'add-fk-validated': [
    ['of a new table', 'create table n (o bigint);\nalter table n add foreign key (o) references orders'],
    [
      'of a new table that has been filled',
      'create table n (o bigint);\ninsert into n select id from orders;\nalter table n add foreign key (o) references orders',
      'add foreign key reads all of "n" and looks each row up in "orders"',
    ],
    [
      'of a copy, to a small table',
      'create table n as select id from few_items;\nalter table few_items add primary key (id);\nalter table n add foreign key (id) references few_items',
    ],
    ['NOT VALID', 'alter table orders add foreign key (customer_id) references customers not valid'],
    ['beside a new column without a default', 'alter table orders add column c bigint references customers'],
    [
      'beside a new column with one',
      'alter table orders add column c bigint default 1 references customers',
      'add foreign key reads all of "orders"',
    ],
    ['of a small table to a large one', 'alter table few_items add foreign key (order_id) references orders'],
    [
      'of a large table to a small one',
      'alter table orders add foreign key (status) references countries',
      'add foreign key reads all of "orders"',
    ],
    ['a new table', 'create table n (c bigint references customers);\nalter table n add foreign key (c) references customers'],
    ['a partitioned table', 'alter table events add foreign key (id) references orders', 'add foreign key reads all of "events"'],
  ],
  'add-unique-constraint': [
    ['an index that is there', 'alter table keyed add unique using index keyed_note'],
    ['beside a new column', 'alter table orders add column a int unique', 'add unique builds an index over "orders"'],
    ['a partitioned table', 'alter table events add unique (day, id)', 'add unique builds an index over "events"'],
    ['a small table', 'alter table few_items add unique (id)'],
    ['a new table', 'create table n (a int unique);\nalter table n add unique (a)'],
  ],
  'add-primary-key': [
    ['an index that is there', 'alter table keyed add primary key using index keyed_id'],
    ['beside a new column', 'alter table keyed add column a int default 1 primary key', 'add primary key builds an index over "keyed"'],
    ['on its own', 'alter table sales."Orders" add primary key (id)', 'add primary key builds an index over "sales"."Orders"'],
    ['a small table', 'alter table few_items add primary key (id)'],
    ['a new table', 'create table n (a int primary key)'],
  ],
  'pk-using-nullable-index': [
    ['a column that is NOT NULL', 'alter table keyed add primary key using index keyed_id'],
    ['a column that a CHECK says has no null', 'alter table keyed add primary key using index keyed_part_key'],
    [
      'a column that may be null',
      'alter table keyed add primary key using index keyed_note',
      'primary key using index, whose columns may be null, reads all of "keyed"',
    ],
    ['a unique constraint', 'alter table keyed add unique using index keyed_note'],
    [
      'an index of the migration before',
      '-- transaction: false\ncreate unique index concurrently k on keyed (note, id);\n-- next migration\nalter table keyed add primary key using index k',
      'primary key using index, whose columns may be null, reads all of "keyed"',
    ],
  ],
  'add-exclusion-constraint': [
    ['a large table', 'alter table orders add exclude using btree (id with =)', 'add exclude builds an index over "orders"'],
    ['a small table', 'alter table few_items add exclude using btree (id with =)'],
    ['a new table', 'create table n (a int);\nalter table n add exclude using btree (a with =)'],
  ],
  'alter-type-rewrite': [
    ['the same type', 'alter table parcels alter number type numeric(8, 2)'],
    ['the same type, by a cast that is none', 'alter table parcels alter number type numeric(8, 2) using number::numeric(8, 2)'],
    [
      'the same type, by an expression',
      'alter table parcels alter number type numeric(8, 2) using number + 0',
      'the new type of "number" writes all of "parcels"',
    ],
    ['a longer varchar', 'alter table parcels alter label type varchar(30)'],
    ['a shorter varchar', 'alter table parcels alter label type varchar(10)', 'the new type of "label" writes all of "parcels"'],
    ['varchar without a limit', 'alter table parcels alter label type varchar'],
    ['text for varchar', 'alter table parcels alter label type text'],
    ['varchar for text', 'alter table orders alter note type varchar'],
    ['varchar(n) for text', 'alter table orders alter note type varchar(10)', 'the new type of "note" writes all of "orders"'],
    ['text for char(n)', 'alter table parcels alter fixed type text', 'the new type of "fixed" writes all of "parcels"'],
    ['a longer char(n)', 'alter table parcels alter fixed type char(9)', 'the new type of "fixed" writes all of "parcels"'],
    ['a numeric of more digits', 'alter table parcels alter number type numeric(10, 2)'],
    ['a numeric without a limit', 'alter table parcels alter number type numeric'],
    [
      'a numeric of another scale',
      'alter table parcels alter number type numeric(10, 3)',
      'the new type of "number" writes all of "parcels"',
    ],
    ['timestamptz in a session in UTC', 'alter table parcels alter seen type timestamptz'],
    [
      'timestamptz in another zone',
      "set time zone 'Europe/Zurich';\nalter table parcels alter seen type timestamptz",
      'the new type of "seen" writes all of "parcels"',
    ],
    [
      'timestamp, for which the migration goes to UTC',
      "set time zone 'Asia/Tokyo';\nset local time zone 'UTC';\nalter table parcels alter moved type timestamp",
    ],
    [
      'timestamptz by an expression',
      "alter table parcels alter seen type timestamptz using seen at time zone 'UTC'",
      'the new type of "seen" writes all of "parcels"',
    ],
    ['a timestamp of more digits', 'alter table parcels alter seen type timestamp'],
    ['a timestamp of fewer digits', 'alter table parcels alter seen type timestamp(0)', 'the new type of "seen" writes all of "parcels"'],
    ['inet for cidr', 'alter table parcels alter net type inet'],
    ['an array of longer strings', 'alter table parcels alter tags type varchar(20)[]', 'the new type of "tags" writes all of "parcels"'],
    ['text for an enum', 'alter table parcels alter mood type text', 'the new type of "mood" writes all of "parcels"'],
    ['a domain without constraints', 'alter table parcels alter label type short_code'],
    ['a domain with constraints', 'alter table orders alter note type filled', 'the new type of "note" writes all of "orders"'],
    ['the type below a domain', 'alter table parcels alter code type text'],
    ['bigint for integer', 'alter table orders alter quantity type bigint', 'the new type of "quantity" writes all of "orders"'],
    [
      'a type that changed a migration before',
      'alter table parcels alter label type varchar(50);\n-- next migration\nalter table parcels alter label type varchar(40)',
      'the new type of "label" writes all of "parcels"',
    ],
    ['a small table', 'alter table few_items alter order_id type text'],
    ['a new table', 'create table n (a int);\nalter table n alter a type text'],
  ],
  'alter-type-revalidate': [
    [
      'a CHECK on the column',
      'alter table parcels alter state type varchar(20)',
      'the new type of "state" has its CHECK verified again, which reads all of "parcels"',
    ],
    [
      'an index of another collation',
      'alter table parcels alter word type text collate "C"',
      'the new type of "word" builds an index over "parcels"',
    ],
    ['an index of text for varchar', 'alter table parcels alter label type text'],
    ['a rewrite, which has its own words', 'alter table orders alter quantity type bigint'],
    ['neither', 'alter table orders alter note type varchar'],
  ],
  'set-expression-rewrite': [
    ['a large table', 'alter table orders alter note set expression as (status)', 'the new expression of "note" writes all of "orders"'],
    ['a small table', 'alter table few_items alter note set expression as (id::text)'],
  ],
  'add-column-volatile-default': [
    ['now()', 'alter table orders add column a timestamptz default now()'],
    ['current_timestamp', 'alter table orders add column a timestamptz not null default current_timestamp'],
    ['a constant', "alter table orders add column a text default 'x'"],
    ['random()', 'alter table orders add column a float default random()', 'the volatile default of "a" writes all of "orders"'],
    [
      'clock_timestamp()',
      'alter table orders add column a timestamptz default clock_timestamp()',
      'the volatile default of "a" writes all of "orders"',
    ],
    [
      'a function of the database that is VOLATILE',
      'alter table orders add column a int default moving() + 1',
      'the volatile default of "a" writes all of "orders"',
    ],
    ['a function of the database that is IMMUTABLE', 'alter table orders add column a int default fixed()'],
    ['a default that comes after', 'alter table orders add column a uuid;\nalter table orders alter a set default gen_random_uuid()'],
    ['a column that is there', 'alter table orders add column if not exists note text default random()::text'],
    [
      'a domain with constraints',
      "alter table orders add column a filled default 'x'",
      'the new column "a", each value of which is held against the domain filled, writes all of "orders"',
    ],
    ['a domain without', 'alter table orders add column a short_code'],
    ['a serial, which has its own words', 'alter table orders add column a serial'],
    ['a small table', 'alter table few_items add column a uuid default gen_random_uuid()'],
    ['a new table', 'create table n (a int);\nalter table n add column b uuid default gen_random_uuid()'],
  ],
  'add-column-serial': [
    ['serial', 'alter table orders add column a serial', 'the new serial column "a" writes all of "orders"'],
    [
      'smallserial among others',
      'alter table orders add column a int, add column b smallserial unique',
      'the new serial column "b" writes all of "orders"',
    ],
    ['a column that is there', 'alter table orders add column if not exists id bigserial'],
    ['a new table', 'create table n (id bigserial);\nalter table n add column b serial'],
    ['a small table', 'alter table few_items add column a serial'],
  ],
  'add-column-identity': [
    [
      'by default',
      'alter table orders add column a int generated by default as identity',
      'the new identity column "a" writes all of "orders"',
    ],
    ['a new table', 'create table n (id bigint generated always as identity)'],
    ['a small table', 'alter table few_items add column a int generated always as identity'],
  ],
  'add-column-stored-generated': [
    [
      'stored',
      'alter table orders add column a int generated always as (quantity * 2) stored',
      'the new stored column "a" writes all of "orders"',
    ],
    ['virtual', 'alter table orders add column a int generated always as (quantity * 2) virtual'],
    ['a new table', 'create table n (a int, b int generated always as (a * 2) stored)'],
  ],
  'add-column-not-null-no-default': [
    [
      'a small table that has rows',
      'alter table few_items add column a int not null',
      'the new column "a" is NOT NULL and has no default: it fails with 23502 on the rows of "few_items"',
    ],
    ['a table without rows', 'alter table empty_items add column a int not null'],
    ['a new table', 'create table n (a int);\nalter table n add column b int not null'],
    ['a default', 'alter table orders add column a int not null default 0'],
    ['an identity', 'alter table orders add column a int not null generated always as identity'],
    ['a generated column', 'alter table orders add column a int not null generated always as (quantity) stored'],
    [
      'a primary key',
      'alter table keyed add column a int primary key',
      'the new column "a" is NOT NULL and has no default: it fails with 23502 on the rows of "keyed"',
    ],
    ['a column that is there', 'alter table orders add column if not exists note text not null'],
  ],
  'alter-domain-constraint': [
    ['NOT VALID', 'alter domain filled add check (value <> $$y$$) not valid'],
    ['validated later', 'alter domain filled validate constraint filled_check', 'alter domain filled reads all of "parcels"'],
    ['NOT NULL', 'alter domain filled set not null', 'alter domain filled reads all of "parcels"'],
    [
      'what takes something away',
      'alter domain filled drop constraint filled_check;\nalter domain filled set default $$x$$;\nalter domain filled drop not null',
    ],
    ['a domain that nothing uses', 'create domain d as int;\nalter domain d add check (value > 0)'],
  ],
  'data-dependent': [
    ['a unique index', 'create unique index on orders (status, note)', 'create unique index fails if the rows of "orders"'],
    ['an index that is not unique', 'create index on orders (status)'],
    ['an index of an expression', 'create unique index on orders (lower(note))'],
    [
      'a primary key on what may be null',
      'alter table few_items add primary key (id)',
      'add primary key fails if the rows of "few_items"',
      'add primary key fails if the rows of "few_items"',
    ],
    ['a key of an index that is there', 'alter table keyed add primary key using index keyed_id'],
    ['a CHECK', 'alter table orders add check (id > 0)', 'add check fails if the rows of "orders"'],
    [
      'a CHECK that is validated',
      'alter table orders validate constraint orders_amount_range',
      'validate constraint orders_amount_range fails if the rows of "orders"',
    ],
    ['a CHECK NOT VALID', 'alter table orders add check (id > 0) not valid'],
    [
      'a foreign key that is validated',
      'alter table orders add constraint f foreign key (customer_id) references customers not valid;\n-- next migration\nalter table orders validate constraint f',
      'validate constraint f fails if the rows of "orders"',
    ],
    ['NOT NULL where a CHECK says so', 'alter table keyed alter part set not null'],
    ['a table without rows', 'alter table empty_items add unique (id)'],
    ['a new table', 'create table n (a int);\nalter table n add unique (a)'],
  ],
  'fk-missing-index': [
    ['an index in the same migration', 'create table n (c bigint references customers, primary key (c))'],
    ['a small table', 'alter table few_items add foreign key (order_id) references orders not valid'],
    [
      'an index after it',
      'alter table orders add foreign key (customer_id) references customers not valid;\ncreate index on orders (customer_id, id)',
    ],
    [
      'an index that begins with another column',
      'create index on orders (id, customer_id);\nalter table orders add foreign key (customer_id) references customers not valid',
      'no index of "orders" begins with ("customer_id"): each delete from "customers", and each change of a key there, reads all of "orders"',
    ],
    [
      'a partial index',
      'create index on orders (customer_id) where id > 5;\nalter table orders add foreign key (customer_id) references customers not valid',
      'no index of "orders" begins with ("customer_id"): each delete from "customers", and each change of a key there, reads all of "orders"',
    ],
    [
      'two columns in another order',
      'create table n (a bigint, b bigint, foreign key (a, b) references sales.items (id, id));\ncreate index on n (b, a)',
    ],
    [
      'beside a new column',
      'alter table orders add column c bigint references customers',
      'no index of "orders" begins with ("c"): each delete from "customers", and each change of a key there, reads all of "orders"',
    ],
    [
      'a new table',
      'create table n (c bigint references customers)',
      'no index of "n" begins with ("c"): each delete from "customers", and each change of a key there, reads all of "n" for its foreign key',
    ],
    ['a table that is there in spite of IF NOT EXISTS', 'create table if not exists orders (c bigint references customers)'],
  ],
  'fk-type-mismatch': [
    [
      'int to bigint',
      'alter table orders add foreign key (quantity) references customers not valid',
      '"quantity" of "orders" is of type integer, the key of "customers" that it references of type bigint: a value that only one of them holds can never match',
    ],
    [
      'serial to bigint',
      'create table n (c serial references customers (id))',
      '"c" of "n" is of type integer, the key of "customers" that it references of type bigint: a value that only one of them holds can never match',
    ],
    ['bigserial to bigint', 'create table n (c bigserial references customers)'],
    ['text to varchar', 'create table k (id varchar(10) primary key);\ncreate table n (k text references k)'],
    [
      'two new tables',
      'create table k (id uuid primary key);\ncreate table n (k text references k)',
      '"k" of "n" is of type text, the key of "k" that it references of type uuid: a value that only one of them holds can never match',
    ],
  ],
};

const flat = Object.entries(cases).flatMap(([rule, each]) =>
  each.map(([title, sql, ...found]) => ({ rule: rule as LintRule, title, sql, found })),
);

test.each(flat)('$rule: $title', async ({ rule, sql, found }) => {
  expect((await findingsOf(rule, sql, client)).map(({ message }) => sizeless(message))).toEqual(found);
});

describe('without a database', () => {
  test.each<readonly [LintRule, string, string]>([
    ['set-not-null-scan', 'alter table orders alter note set not null', 'a validated CHECK implies it, or the column is NOT NULL already'],
    [
      'alter-type-rewrite',
      'alter table orders alter note type varchar(10)',
      'the type that is there is stored in the same way (a shorter varchar, say)',
    ],
    ['pk-using-nullable-index', 'alter table orders add primary key using index i', 'its columns are NOT NULL already'],
    ['add-column-volatile-default', 'alter table orders add column a int default mine()', 'no function that it calls is VOLATILE'],
    ['alter-domain-constraint', 'alter domain d set not null', 'no large table has a column of it'],
    ['set-expression-rewrite', 'alter table orders alter note set expression as (status)', 'the column is VIRTUAL'],
    ['fk-missing-index', 'alter table orders add foreign key (a) references b not valid', 'an index of "orders" begins with ("a")'],
  ])('%s says what it could not judge', async (rule, sql, unless) => {
    const [finding, ...more] = await findingsOf(rule, sql, undefined);
    expect(more).toEqual([]);
    expect(finding?.level).toBe('info');
    expect(finding?.message).toMatch(/^not judged without a database: /);
    expect(finding?.message.endsWith(`, unless ${unless}`)).toBe(true);
  });

  test.each<readonly [LintRule, string]>([
    ['add-check-validated', 'alter table orders add check (id > 0)'],
    ['add-unique-constraint', 'alter table orders add unique (id)'],
    ['add-column-serial', 'alter table orders add column a serial'],
    ['alter-type-rewrite', "alter table orders alter a type timestamptz using a at time zone 'UTC'"],
    ['add-column-volatile-default', 'alter table orders add column a uuid default gen_random_uuid()'],
    ['validate-same-tx', 'alter table orders add constraint c check (id > 0) not valid;\nalter table orders validate constraint c'],
  ])('%s judges what the text tells', async (rule, sql) => {
    expect((await findingsOf(rule, sql, undefined)).map(({ level }) => level)).toEqual(['error']);
  });

  test('a table of the same migration is known', async () => {
    const sql =
      'create table n (a int);\nalter table n alter a set not null;\nalter table n add check (a > 0);\nalter table n alter a type text';
    expect(
      findingsIn(await lintExample({ client: undefined, migrations: migrationsIn(sql) })).filter(({ level }) => level === 'error'),
    ).toEqual([]);
  });
});

test('remedies run as they are printed', async () => {
  const unsafe = [
    'alter table orders add check (id > 0)',
    'alter table orders add column a int default 1 check (a > 0)',
    'alter table sales."Orders" alter "Customer" set not null',
    'alter table sales."Orders" add foreign key ("Customer") references customers on delete cascade',
    'alter table orders add column c bigint default 1 references customers (id)',
    'alter table sales."Orders" add column ref bigserial',
    'alter table orders add column token uuid not null default gen_random_uuid()',
    'alter table parcels alter state type varchar(20)',
    'alter domain filled set not null',
  ];
  for (const sql of unsafe) {
    const errors = findingsIn(await lintExample({ client, migrations: migrationsIn(sql) })).filter(({ level }) => level === 'error');
    expect({ sql, errors: errors.length }).toEqual({ sql, errors: 1 });
    await client.query('savepoint tried');
    for (const statement of statementsIn(errors[0]?.remedy ?? '')) await client.query(statement);
    await client.query('rollback to tried');
  }
});

test.runIf(major >= 18)('PostgreSQL 18: a NOT NULL that is not validated yet proves nothing', async () => {
  const added = 'alter table orders add constraint n not null note not valid';
  expect(await findingsOf('set-not-null-scan', added, client)).toEqual([]);
  await client.query(added);
  expect(await findingsOf('set-not-null-scan', 'alter table orders alter note set not null', client)).toHaveLength(1);
  const later = 'alter table orders validate constraint n;\n-- next migration\nalter table orders alter note set not null';
  expect(await findingsOf('set-not-null-scan', later, client)).toEqual([]);
  expect(await findingsOf('set-not-null-scan', 'alter table orders add constraint m not null status', client)).toHaveLength(1);
});

test.runIf(major >= 18)('PostgreSQL 18: a constraint that is enforced from now on is verified', async () => {
  await client.query('alter table orders add constraint f foreign key (customer_id) references customers not enforced');
  const found = await findingsOf('add-fk-validated', 'alter table orders alter constraint f enforced', client);
  expect(found.map(({ message }) => sizeless(message))).toEqual(['alter constraint f enforced reads all of "orders"']);
});

async function findingsOf(rule: LintRule, sql: string, database: pg.Client | undefined): Promise<Finding[]> {
  return findingsIn(await lintExample({ client: database, migrations: migrationsIn(sql) })).filter(({ code }) => code === rule);
}

// Up to the size of the table.
function sizeless(message: string): string {
  return message.replace(/ \(\d+ \w+, about .*$/, '');
}

function statementsIn(remedy: string): string[] {
  return [...remedy.matchAll(/`([^`]+?);?`/g)].map(([, statement = '']) => statement).filter((each) => !each.startsWith('SET LOCAL'));
}
