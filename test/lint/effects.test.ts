import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import type { Action } from '../../src/lint/actions/index.js';
import { KnownFacts, type Query } from '../../src/lint/catalog/index.js';
import { effectsOf, type TableEffect } from '../../src/lint/effects/index.js';
import { readStatements } from '../../src/lint/statement.js';
import { isStronger } from '../../src/lock-mode.js';
import { major } from '../support/majors.js';
import type { TestDatabase } from '../support/servers.js';
import { createExampleDatabase, snapshot, takenSince, traceExamples } from './fixture.js';

let database: TestDatabase;
let client: pg.Client;
let known: KnownFacts;

beforeAll(async () => {
  database = await createExampleDatabase();
  await database.query(tables);
  client = await database.connect();
  await client.query("set time zone 'UTC'");
  known = await factsAbout(...cases.map(({ sql }) => sql));
});

const tables = `
  create type mood as enum ('good', 'bad');
  create domain sku as text;
  create domain short_code as varchar(20);
  create domain filled as text check (value <> '');
  create domain required as int not null;
  create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create function fixed() returns int language sql immutable as 'select 1';
  create function moving() returns int language plpgsql as 'begin return 1; end';
  create function touch() returns trigger language plpgsql as 'begin return new; end';
  create table countries_by_number (id int primary key);
  create table items (
    id bigint primary key, order_id bigint constraint items_order references orders, customer_id bigint, sku sku, label text, word text, short short_code, level filled, code varchar(20), price numeric(8, 2),
    quantity int constraint items_quantity check (quantity > 0), seen timestamp, zoned timestamptz, net cidr, tags varchar(10)[], mood mood, note text,
    size int not null, double int generated always as (quantity * 2) stored, gone int constraint items_gone check (gone is not null and gone > 0),
    constraint items_price check (price > 0) not valid, constraint items_customer foreign key (customer_id) references customers not valid
  );
  insert into items (id, size, quantity, gone) select g, g, g, g from generate_series(1, 100) g;
  create index items_word on items (word);
  create unique index items_code on items (code);
  create unique index items_id_size on items (id, size);
  create unique index items_quantity_key on items (quantity);
  create trigger items_touch before update on items for each row execute function touch();
  create policy items_all on items using (true);
  create statistics items_stats on id, size from items;
  create rule items_rule as on delete to items do also nothing;
  create table events (id bigint not null, day date not null, kind text) partition by range (day);
  create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
  create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
  create table events_2026 (id bigint not null, day date not null, kind text);
  create table events_2027 (id bigint not null, day date not null, kind text, check (day >= '2027-01-01' and day < '2028-01-01'));
  create index events_kind on events (kind);
  insert into events select g, '2024-05-05', 'x' || g from generate_series(1, 2000) g;
  insert into events select g, '2025-05-05', 'x' || g from generate_series(1, 2000) g;
  create table logs (id bigint, day date) partition by range (day);
  create table logs_old partition of logs for values from ('2000-01-01') to ('2020-01-01');
  create table logs_rest partition of logs default;
  create table logs_2026 (id bigint, day date);
  create view open_items as select id, note from items where mood = 'good';
  create materialized view totals as select order_id, count(*) as items from items group by order_id with data;
  create unique index totals_order on totals (order_id);
  create table drafts (id int, body text, ref int references countries_by_number, area varchar(10) check (area <> ''), state varchar(10));
  create unlogged table scratch (id int);
  create table plain (id int, body text);
  create table twin (like plain);
  create table indexed (id int, body varchar(20), state varchar(20), word varchar(20), title varchar(20));
  create index indexed_body on indexed (lower(body));
  create index indexed_id on indexed (id) where state <> '';
  create index indexed_word on indexed (word) where id > 5;
  create index indexed_title on indexed (title);
  alter table indexed add constraint indexed_title check (title <> '') not valid;
  analyze`;

const keys = major < 18 ? 'SHARE' : 'ACCESS EXCLUSIVE';

/** What is taken, and by which statements: one a line, several that share a transaction with `; ` between them. */
const statements: Readonly<Record<string, string>> = {
  'ACCESS EXCLUSIVE on items': `
    alter table items add column extra int
    alter table items add column if not exists note text
    alter table items add column extra int default 5
    alter table items add column extra timestamptz default now()
    alter table items add column extra int not null default fixed()
    alter table items add column extra sku
    alter table items add column extra int default null
    alter table items drop column quantity cascade
    alter table items alter column size set not null
    alter table items alter column gone set not null
    alter table items alter column size drop not null
    alter table items alter column note set default 'x'
    alter table items alter column note drop default
    alter table items alter column double drop expression
    alter table items alter column size add generated by default as identity
    alter table items alter column note set storage external
    alter table items alter column note set compression pglz
    alter table items alter column size type int
    alter table items alter column size type int using size::int
    alter table items alter column code type varchar(30)
    alter table items alter column code type varchar
    alter table items alter column code type text
    alter table items alter column code type text using code::text
    alter table items alter column seen type timestamptz
    alter table items alter column seen type timestamp(6)
    alter table items alter column zoned type timestamp
    alter table items alter column zoned type timestamptz(6)
    alter table items alter column net type inet
    alter table items alter column sku type text
    alter table items add constraint c check (quantity < 1000) not valid
    alter table items add constraint u unique using index items_code
    alter table items drop constraint items_pkey, add primary key using index items_id_size
    alter table items drop constraint items_quantity
    alter table items drop constraint if exists nope
    alter table items alter constraint items_order deferrable
    alter table items rename column note to remark
    alter table items rename constraint items_quantity to q
    alter table items rename to things
    alter table items owner to current_user
    alter table items enable row level security
    alter table items force row level security
    alter table items disable rule items_rule
    alter table items replica identity full
    drop index items_code
    drop trigger items_touch on items
    alter trigger items_touch on items rename to t
    create policy p on items using (true)
    alter policy items_all on items using (false)
    drop policy items_all on items
    create rule r as on insert to items do also nothing
    drop rule items_rule on items
    lock table items
    alter table items alter column label type sku
    alter table items alter column code type short_code
    alter table items alter column short type text
    alter table items alter column sku type varchar
    alter table items alter column level type text
    alter table items alter column level type sku
    alter table items alter column label type text collate "C"
    alter table items alter column size type int using (size)
    alter table items alter column size type int using items.size
    alter table items add column extra int constraint q not null default 3
    alter table items alter column word type varchar
    alter table items add constraint c check (quantity > 1) not valid; alter table items drop constraint c
    alter table items alter column quantity drop not null
    set local timezone to 'GMT'; alter table items alter column seen type timestamptz
    set local time zone 'Europe/Zurich'; set local time zone 'UTC'; alter table items alter column zoned type timestamp
    alter table items drop constraint items_pkey cascade
    alter table items alter column quantity set default 5
    alter table items add column if not exists note text default moving()
  `,
  'ACCESS EXCLUSIVE on items (rewrite)': `
    alter table items add column extra int default moving()
    alter table items add column extra uuid default gen_random_uuid()
    alter table items add column extra uuid not null default gen_random_uuid() unique
    alter table items add column extra serial
    alter table items add column extra int generated always as identity
    alter table items add column extra int generated always as (quantity + 1) stored
    alter table items alter column size type bigint
    alter table items alter column size type int using size + 0
    alter table items alter column code type varchar(10)
    alter table items alter column price type numeric(10, 3)
    alter table items alter column price type numeric(6, 2)
    alter table items alter column seen type timestamp(3)
    alter table items alter column tags type varchar(20)[]
    alter table items alter column tags type text[]
    alter table items alter column tags type varchar(5)[]
    alter table items add column a int, add column b int default moving()
    cluster items using items_code
    alter table items add column extra filled
    alter table items add column extra required default 1
    alter table items alter column label type filled
    alter table items alter column label type short_code
    alter table items alter column short type varchar(20)
    alter table items alter column short type varchar(30)
    alter table items alter column sku type varchar(10)
    alter table items alter column label type varchar(10)
    alter table items alter column size type int using size::bigint::int
    alter table items alter column net type text
    alter table items alter column seen type timestamptz using seen at time zone 'UTC'
    set local time zone 'Europe/Zurich'; alter table items alter column seen type timestamptz
    alter table items add column token uuid default gen_random_uuid(), add check (size > 0)
  `,
  'ACCESS EXCLUSIVE on items (scan)': `
    alter table items add column extra int check (extra > 0)
    alter table items add column extra int default 1 check (extra > 0)
    alter table items alter column quantity set not null
    alter table items alter column size drop not null, alter column size set not null
    alter table items alter column size set not null, alter column size drop not null
    alter table items alter column gone set not null, drop constraint items_gone
    alter table items alter column price type numeric(10, 2)
    alter table items alter column price type numeric
    alter table items add constraint c check (quantity < 1000)
    alter table items drop constraint items_pkey, add primary key using index items_quantity_key
    alter table items alter column gone type int
  `,
  'ACCESS EXCLUSIVE on items, SHARE ROW EXCLUSIVE on orders': `
    alter table items add column extra bigint references orders
  `,
  'ACCESS EXCLUSIVE on items (scan), SHARE ROW EXCLUSIVE on orders (scan)': `
    alter table items add column extra bigint default 1 references orders
  `,
  'ACCESS EXCLUSIVE on indexed (index)': `
    alter table indexed alter body type varchar(30)
    alter table indexed alter body type varchar(20) using body::varchar(20)
    alter table indexed alter state type varchar(30)
    alter table indexed alter word type text
    alter table indexed alter id type int`,
  'ACCESS EXCLUSIVE on indexed': `
    alter table indexed alter title type varchar(30)
    alter table indexed alter title type text`,
  'ACCESS EXCLUSIVE on items (index)': `
    alter table items add column extra int unique
    alter table items alter column code type varchar(20) collate "C"
    alter table items alter column code type varchar(20) collate nocase
    alter table items add constraint u unique (size)
    alter table items add constraint u exclude using btree (size with =)
    alter table items drop constraint items_pkey, add primary key (id)
    alter table items add constraint x exclude using gist (int8range(id, id) with &&)
    alter table items alter column word type text collate "C"
    alter table items alter column word type varchar collate nocase
  `,
  'ACCESS EXCLUSIVE on plain (rewrite)': `
    alter table plain add column extra serial primary key
    alter table plain set unlogged
    alter table plain add column extra filled
    alter table plain add column extra filled default 'x'
  `,
  'ACCESS EXCLUSIVE on plain (scan)': `
    alter table plain add column extra int not null
  `,
  'SHARE UPDATE EXCLUSIVE on items': `
    alter table items alter column note set statistics 100
    alter table items alter column note set (n_distinct = 5)
    alter table items alter column note reset (n_distinct)
    alter table items validate constraint items_price
    alter table items validate constraint items_quantity
    alter table items validate constraint items_customer
    alter table items set (fillfactor = 80)
    alter table items reset (fillfactor)
    alter table items set without cluster
    alter table items cluster on items_code
  `,
  'ACCESS EXCLUSIVE on orders': `
    alter table orders alter column status type varchar(40)
  `,
  'ACCESS EXCLUSIVE on orders (index)': `
    alter table orders alter column status type text collate "C"
  `,
  'ACCESS EXCLUSIVE on orders (rewrite)': `
    alter table orders alter column data type jsonb
  `,
  'SHARE ROW EXCLUSIVE on customers, SHARE ROW EXCLUSIVE on items': `
    alter table items add constraint f foreign key (customer_id) references customers not valid
  `,
  'ACCESS EXCLUSIVE on plain (index)': `
    alter table plain add primary key (id)
  `,
  'ACCESS EXCLUSIVE on items, ACCESS EXCLUSIVE on orders': `
    alter table items drop constraint items_order
    truncate orders, items
    truncate orders cascade
  `,
  'ACCESS EXCLUSIVE on plain': `
    alter table plain set logged
    drop table plain
    alter table plain add column extra sku
  `,
  'SHARE ROW EXCLUSIVE on items': `
    alter table items disable trigger items_touch
    alter table items enable trigger all
    alter table items enable always trigger items_touch
    create table lines (id bigint references items, item bigint)
    create trigger t before insert on items for each row execute function touch()
    create trigger t after insert on items for each statement execute function touch()
    create constraint trigger t after insert on items from orders for each row execute function touch()
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2024, ACCESS EXCLUSIVE on events_2025': `
    alter table events add column extra int
    alter table events add constraint c check (id > 0) not valid
    alter table events alter column kind set default 'x'
    alter table events drop column kind
    alter table events rename column kind to sort
    drop index events_kind
    truncate events
    drop table events
    alter table events alter column id drop not null
    alter table events alter column kind drop default
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2024 (rewrite), ACCESS EXCLUSIVE on events_2025 (rewrite)': `
    alter table events add column extra int default moving()
    alter table events alter column id type int
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2024 (scan), ACCESS EXCLUSIVE on events_2025 (scan)': `
    alter table events alter column kind set not null
    alter table events add constraint c check (id > 0)
  `,
  'SHARE ROW EXCLUSIVE on events, SHARE ROW EXCLUSIVE on events_2024 (scan), SHARE ROW EXCLUSIVE on events_2025 (scan), SHARE ROW EXCLUSIVE on orders (scan)': `
    alter table events add constraint f foreign key (id) references orders
  `,
  'ACCESS EXCLUSIVE on events': `
    alter table events rename to happenings
    create table events_2030 partition of events for values from ('2030-01-01') to ('2031-01-01')
    alter table events set schema public
    alter table events enable row level security
    create policy p on events using (true)
    alter table events owner to current_user
  `,
  'ACCESS EXCLUSIVE on logs_2026 (scan), ACCESS EXCLUSIVE on logs_rest (scan), SHARE UPDATE EXCLUSIVE on logs': `
    alter table logs attach partition logs_2026 for values from ('2026-01-01') to ('2027-01-01')
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2025': `
    alter table events detach partition events_2025
    drop table events_2025
  `,
  'ACCESS EXCLUSIVE on logs, ACCESS EXCLUSIVE on logs_old, ACCESS EXCLUSIVE on logs_rest': `
    alter table logs detach partition logs_old
  `,
  'ACCESS EXCLUSIVE on logs, ACCESS EXCLUSIVE on logs_rest (scan)': `
    create table logs_2030 partition of logs for values from ('2030-01-01') to ('2031-01-01')
  `,
  '': `
    create table lines (like items including all)
    create table lines as select * from items
    select * into lines from items
    create table if not exists items (id int references orders)
    alter index items_code rename to items_code_idx
    alter index items_code set (fillfactor = 70)
    alter index events_kind attach partition events_2024_kind_idx
    create view v as select * from items
    create or replace view open_items as select id, note from items
    drop view open_items
    drop table if exists nope
    grant select on items to public
    revoke select on items from public
    update items set note = 'x'
    delete from items where id = 5
    select * from items for update
    with gone as (delete from items returning id) insert into plain (id) select id from gone
    alter domain sku add constraint c check (value <> '') not valid
    alter domain sku set default 'x'
    alter type mood add value 'ugly'
    alter type mood rename value 'bad' to 'sad'
    drop function fixed()
    alter index events_kind rename to e
    alter domain filled add constraint zzz check (value <> 'x') not valid
    alter domain filled drop constraint filled_check
    alter domain filled set default 'x'
    alter domain filled drop not null
    alter domain required set not null
  `,
  'SHARE on items (index)': `
    create index on items (size)
    create unique index on items (size)
    reindex table items
    reindex index items_code
  `,
  'SHARE on items': `
    create index if not exists items_code on items (size)
    lock table items in share mode
  `,
  'SHARE on events, SHARE on events_2024 (index), SHARE on events_2025 (index)': `
    create index on events (id)
  `,
  'SHARE on events': `
    create index on only events (id)
  `,
  'SHARE on totals (index)': `
    create index on totals (items)
  `,
  'SHARE ROW EXCLUSIVE on events, SHARE ROW EXCLUSIVE on events_2024, SHARE ROW EXCLUSIVE on events_2025': `
    create trigger t before insert on events for each row execute function touch()
    create trigger t after insert on events for each row execute function touch()
  `,
  'ACCESS EXCLUSIVE on totals': `
    drop materialized view totals
    refresh materialized view totals with no data
  `,
  'ACCESS EXCLUSIVE on totals (rewrite)': `
    refresh materialized view totals
  `,
  'EXCLUSIVE on totals (scan)': `
    refresh materialized view concurrently totals
  `,
  'EXCLUSIVE on events, EXCLUSIVE on events_2024, EXCLUSIVE on events_2025': `
    lock table events in exclusive mode
  `,
  'SHARE on items (scan)': `
    alter domain sku add constraint c check (value <> '')
    alter domain filled add check (value <> 'x')
    alter domain filled validate constraint filled_check
    alter domain filled add constraint zzz check (value <> 'x') not valid; alter domain filled validate constraint zzz
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2024 (index), ACCESS EXCLUSIVE on events_2025 (index)': `
    alter table events add primary key (kind, day)
  `,
  'ACCESS EXCLUSIVE on events, ACCESS EXCLUSIVE on events_2024, ACCESS EXCLUSIVE on events_2025, SHARE ROW EXCLUSIVE on orders': `
    alter table events add column extra int references orders
  `,
  'SHARE ROW EXCLUSIVE on customers (scan), SHARE ROW EXCLUSIVE on orders (scan)': `
    alter table orders add foreign key (customer_id) references customers
  `,
  'SHARE ROW EXCLUSIVE on events': `
    create trigger t before insert on events for each statement execute function touch()
    alter table events disable trigger all
  `,
  'SHARE UPDATE EXCLUSIVE on events, SHARE UPDATE EXCLUSIVE on events_2024, SHARE UPDATE EXCLUSIVE on events_2025': `
    alter table events alter column kind set statistics 100
  `,
  'ACCESS EXCLUSIVE on plain, ACCESS EXCLUSIVE on twin': `
    drop table plain, twin
  `,
  'ACCESS EXCLUSIVE on drafts (scan)': `
    alter table drafts alter column area type varchar(20)
    alter table drafts alter column area type varchar(10)
    alter table drafts alter column area type text
  `,
  'SHARE ROW EXCLUSIVE on countries_by_number, SHARE ROW EXCLUSIVE on drafts (scan)': `
    alter table drafts add constraint c foreign key (id) references countries_by_number not valid; alter table drafts validate constraint c
  `,
  'ACCESS EXCLUSIVE on orders (scan)': `
    alter table orders add constraint c check (note is not null) not valid; alter table orders validate constraint c; alter table orders alter column note set not null
  `,
  'ACCESS EXCLUSIVE on scratch (rewrite)': `
    alter table scratch set logged
  `,
  'ACCESS EXCLUSIVE on scratch': `
    alter table scratch set unlogged
  `,
  'ACCESS EXCLUSIVE on countries_by_number, ACCESS EXCLUSIVE on drafts': `
    alter table drafts drop column ref
    alter table drafts drop constraint drafts_ref_fkey
    drop table drafts
    drop table countries_by_number cascade
  `,
  [`ACCESS EXCLUSIVE on events, ${keys} on events_2024 (index), ${keys} on events_2025 (index)`]: `
    alter table events add unique (id, day)
    alter table events add primary key (id, day)
  `,
};

/** With syntax of PostgreSQL 17 and 18. */
const later: Readonly<Record<string, string>> = {
  'ACCESS EXCLUSIVE on items': `
    alter table items add constraint n not null note not valid
    alter table items add column v int generated always as (quantity * 3) virtual
    alter table items add constraint c check (quantity > 0) not enforced
  `,
  'ACCESS EXCLUSIVE on items (scan)': `
    alter table items add constraint n not null quantity
    alter table items add column v int generated always as (quantity * 3) virtual not null
    alter table items add constraint n not null quantity not valid; alter table items validate constraint n
    alter table items add constraint n not null quantity not valid; alter table items alter column quantity set not null
  `,
  'ACCESS EXCLUSIVE on items (rewrite)': `
    alter table items alter column double set expression as (quantity * 3)
  `,
  'ACCESS EXCLUSIVE on items (scan), SHARE ROW EXCLUSIVE on customers': `
    alter table items add constraint c foreign key (customer_id) references customers not enforced; alter table items alter constraint c enforced
  `,
};

interface Case {
  readonly sql: string;
  readonly taken: string;
}

const cases = [statements, ...(major >= 18 ? [later] : [])]
  .flatMap((each) => Object.entries(each))
  .flatMap(([taken, lines]) => linesIn(lines).map((sql): Case => ({ sql, taken })));

function linesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

test.each(cases)('$sql', async ({ sql, taken }) => {
  expect({ foreseen: await foreseen(sql), traced: await traced(sql) }).toEqual({ foreseen: taken, traced: taken });
});

test('what runs concurrently lets reads and writes through', async () => {
  const concurrently = [
    'create index concurrently items_new on items (size)',
    'reindex index concurrently items_new',
    'drop index concurrently items_new',
  ];
  for (const sql of concurrently) {
    const words = await foreseen(sql, await factsAbout(sql)); // what the one before has made is there
    expect({ sql, traced: await traceExamples(database, [{ transaction: false, statements: [sql] }]) }).toEqual({ sql, traced: words });
    expect(words).toMatch(/^SHARE UPDATE EXCLUSIVE on items( \(index\))?$/);
  }
});

async function factsAbout(...texts: readonly string[]): Promise<KnownFacts> {
  const query: Query = async <Row>(text: string, values: readonly unknown[] = []) => (await client.query(text, [...values])).rows as Row[];
  const known = new KnownFacts(query);
  await known.learn((await Promise.all(texts.map(actionsOf))).flat());
  return known;
}

async function actionsOf(sql: string): Promise<Action[]> {
  const read = await readStatements({ sql, text: sql, place: undefined, message: 0 });
  return read.flatMap(({ actions }) => actions);
}

async function foreseen(sql: string, facts = known): Promise<string> {
  const catalog = facts.catalog();
  const strongest = new Map<string, Seen>();
  for (const action of await actionsOf(sql)) {
    for (const effect of effectsOf(action, catalog)) note(strongest, effect);
    catalog.advance(action);
  }
  const words = [...strongest].map(([table, { mode, work }]) => `${mode} on ${table}${work ? ` (${work})` : ''}`);
  return withoutParents(words.sort().join(', '));
}

type Seen = Pick<TableEffect, 'mode' | 'work'>;

const works = [undefined, 'scan', 'index', 'rewrite'] as const;

// As the trace does: the strongest lock on each table that was there, and the heaviest work.
function note(strongest: Map<string, Seen>, { relation: { name, state, kind }, mode, work }: TableEffect): void {
  if (state !== 'old' || !'rpm'.includes(kind) || !isStronger(mode, 'ROW EXCLUSIVE')) return;
  const before = strongest.get(name);
  const heavier = works.findLast((each) => each === work || each === before?.work);
  strongest.set(name, { mode: before === undefined || isStronger(mode, before.mode) ? mode : before.mode, work: heavier });
}

async function traced(sql: string): Promise<string> {
  await client.query('begin');
  const before = await snapshot(client);
  try {
    for (const each of sql.split('; ')) await client.query(each);
    return withoutParents(await takenSince(client, before));
  } finally {
    await client.query('rollback');
  }
}

// A partitioned table holds no rows that could be read or written: its partitions do.
function withoutParents(words: string): string {
  return words.replaceAll(/(on (?:events|logs)) \(\w+\)/g, '$1');
}
