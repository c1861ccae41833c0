import { beforeAll, describe, expect, test } from 'vitest';
import { parseLockMode, type LockMode } from '../../src/lock-mode.js';
import { Wire } from '../../src/session/index.js';
import { traceStatements } from '../../src/trace/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { contentsOf } from '../script/fixture.js';
import { schema, shortly } from './fixture.js';

let database: TestDatabase;
let wire: Wire;

beforeAll(async () => {
  database = await createDatabase();
  await database.query(schema);
  wire = new Wire(await database.connect());
});

async function trace(text: string, transaction: 'rolled-back' | 'none' = 'rolled-back'): Promise<string[]> {
  return (await traceStatements({ wire, statements: [text], transaction })).map(shortly);
}

// On the left what is sent, on the right what each of its statements does.
const inTransaction: readonly (readonly [string, ...string[]])[] = [
  ['alter table orders alter column total set not null', 'AX orders, +scan orders'],
  [
    `alter table orders add constraint c check (total is not null) not valid; alter table orders validate constraint c;
     alter table orders alter column total set not null`,
    'AX orders',
    '+scan orders',
    '', // the validated CHECK tells that there is no null
  ],
  ['alter table customers alter column old_id set not null', 'AX customers'],
  ['alter table orders add constraint c check (total > 0)', 'AX orders, +scan orders'],
  ['alter table orders add foreign key (customer) references customers (id)', 'SRE customers, SRE orders, +scan customers, +scan orders'],
  [
    'alter table orders add constraint f foreign key (customer) references customers (id) not valid; alter table orders validate constraint f',
    'SRE customers, SRE orders',
    '+scan customers, +scan orders',
  ],
  ['alter table orders add column c int references customers (id)', 'SRE customers, AX orders'],
  ['create table invoices (customer int references customers (id))', 'SRE customers'],
  ['alter table orders add constraint u unique (total)', 'AX orders, +index u'],
  ['alter table orders add primary key (id)', 'AX orders, +scan orders, +index orders_pkey'],
  ['alter table orders add constraint e exclude (total with =)', 'AX orders, +scan orders, +index e'],
  ['create index i on orders (total)', 'S orders, +index i'],
  ['create unique index u on orders (total); alter table orders add constraint u unique using index u', 'S orders, +index u', 'AX orders'],
  ['drop index orders_total_idx', 'AX orders'],
  ['reindex index orders_total_idx', 'S orders, AX orders_total_idx, +index orders_total_idx'],
  ['alter table orders alter column total type bigint', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders alter column customer type bigint', 'fails 0A000'],
  ['alter table customers alter column code type varchar(20)', 'AX customers'],
  ['alter table customers alter column code type text', 'AX customers'],
  [
    'alter table customers alter column code type varchar(5)',
    'AX customers, +rewrite customers, +index customers_code_idx, +index customers_pkey',
  ],
  ['alter table customers alter column code type text collate "C"', 'AX customers, +index customers_code_idx'],
  ['alter table customers alter column score type numeric(8,2)', 'AX customers'],
  [
    'alter table customers alter column score type numeric(8,3)',
    'AX customers, +rewrite customers, +index customers_code_idx, +index customers_pkey',
  ],
  [`set local timezone = 'UTC'; alter table customers alter column at type timestamptz`, 'AX customers'],
  ['alter table orders add column x timestamptz not null default now()', 'AX orders'],
  ['alter table orders add column x int default fixed()', 'AX orders'],
  ['alter table orders add column x int default answer()', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders add column x uuid default gen_random_uuid()', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders add column x bigserial', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders add column x int generated always as identity', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders add column x int generated always as (total) stored', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders set unlogged', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['alter table orders set (fillfactor = 70)', 'SUE orders'],
  ['cluster orders using orders_total_idx', 'AX orders, +rewrite orders, +index orders_total_idx'],
  ['truncate visits', 'AX visits'],
  ['refresh materialized view totals', 'AS orders, AX totals, +rewrite totals, +scan orders, +index totals_idx'],
  [
    `alter table events attach partition events_21 for values from ('2021-01-01') to ('2022-01-01')`,
    'SUE events, AX events_21, AX events_rest, +scan events_21, +scan events_rest, +index events_21_at_idx',
  ],
  [
    `create table events_22 partition of events for values from ('2022-01-01') to ('2023-01-01')`,
    'AX events, AX events_rest, +scan events_rest',
  ],
  ['alter table events detach partition events_20', 'AX events, AX events_20, AX events_rest'],
  ['create index i on events (id)', 'S events, S events_20, S events_rest, +index events_20_id_idx, +index events_rest_id_idx'],
  ['create index i on only events (id)', 'S events'],
  ['alter domain positive add check (value > 0)', 'S prices, +scan prices'],
  ['alter table visits rename to seen; alter table seen add column x int', 'AX visits', ''],
  ['drop table visits', 'AX visits'],
  ['update orders set total = 1', 'RX orders, +scan orders'],
  ['select from emails', 'AS customers, AS emails, +scan customers'],
  ['select from orders for update', 'RS orders, +scan orders'],
  ['lock table orders in exclusive mode; create index i on orders (total)', 'EX orders', '+index i'],
  ['create table born (id int); create index on born (id); alter table born alter column id type bigint; drop table born', '', '', '', ''],
  ['create table copied as select * from orders; create index on copied (id)', 'AS orders, +scan orders', ''],
  [`do $$ begin execute 'alter table visits alter column id type bigint'; end $$`, 'AX visits, +rewrite visits'],
  ['create index concurrently i on orders (total)', 'fails 25001'],
];

describe('in a transaction that is rolled back', () => {
  test.each(inTransaction)('%s', async (text, ...expected) => {
    expect(await trace(text)).toEqual(expected);
    expect(wire.status).toBe('I');
  });
});

test('what is held lasts until the end, or until a savepoint is rolled back; what stands in it is looked at anew', async () => {
  const statements = [
    'create index i on orders (total)',
    'savepoint s',
    'alter table orders alter column total type bigint',
    'rollback to savepoint s',
    'comment on table orders is $$x$$',
    'alter table visits add column x int',
  ];
  const traced = await traceStatements({ wire, statements, transaction: 'rolled-back' });
  expect(traced.map(shortly)).toEqual([
    'S orders, +index i',
    'AX orders, +rewrite orders, +index i, +index orders_total_idx',
    '', // SHARE UPDATE EXCLUSIVE, on top of SHARE
    'AX visits',
  ]);
  expect(traced.at(-1)?.held).toEqual([
    { table: 'public.orders', mode: 'SHARE' },
    { table: 'public.visits', mode: 'ACCESS EXCLUSIVE' },
  ]);
  expect(Object.isFrozen(traced) && Object.isFrozen(traced[0]?.locks[0])).toBe(true);
});

test('the first that fails ends it, and nothing of it stays', async () => {
  const before = await contentsOf(database);
  const statements = [
    'create table kept (id int)',
    'alter table orders add column x int',
    'alter table nowhere add column x int',
    'select 1',
  ];
  const traced = await traceStatements({ wire, statements, transaction: 'rolled-back' });
  expect(traced.map(shortly)).toEqual(['', 'AX orders', 'fails 42P01']);
  expect(traced[2]).toMatchObject({ locksFrom: 'unknown', error: { message: 'relation "nowhere" does not exist' } });
  expect(await contentsOf(database)).toEqual(before);
});

test('a name is quoted where it must be, a password is masked, and no operator of another schema is asked', async () => {
  const statements = [
    'create schema "Odd"',
    'create table "Odd"."a ""b" (id int)',
    'create function "Odd".equal(oid, oid) returns bool language plpgsql immutable as $$begin raise exception $r$seen$r$; end$$',
    'create operator "Odd".= (leftarg = oid, rightarg = oid, function = "Odd".equal)',
    'create view "Odd".pg_class as select 1 as oid',
  ];
  const odd = await createDatabase();
  for (const statement of statements) await odd.query(statement);
  const oddWire = new Wire(await odd.connect());
  const traced = await traceStatements({
    wire: oddWire,
    statements: ['set search_path to "Odd", pg_catalog', `alter table "a ""b" add column x int; create role r password 'hunter2'`],
    transaction: 'rolled-back',
  });
  expect(traced.map(shortly)).toEqual(['AX "Odd"."a ""b"', '']);
  expect(traced[1]?.sql).toBe(`create role r password '***'`);
});

const alone: readonly (readonly [string, string, 'server' | 'statement' | 'unknown'])[] = [
  ['create index concurrently i on orders (id)', 'SUE orders, +index i', 'statement'],
  ['reindex index concurrently i', 'SUE orders, +index i', 'statement'],
  ['drop index concurrently i', 'SUE orders', 'statement'],
  ['create index concurrently i on events (id)', 'fails 0A000', 'unknown'],
  ['lock table orders in share mode', 'fails 25P01', 'unknown'],
  ['vacuum orders', 'SUE orders', 'statement'],
  ['vacuum (full) public.orders', 'AX orders, +rewrite orders, +index orders_total_idx', 'statement'],
  ['do $$ begin update orders set total = 1; commit; end $$', '', 'unknown'],
  ['alter table visits alter column id type bigint', 'AX visits, +rewrite visits', 'server'],
  ['refresh materialized view concurrently totals', 'AS orders, EX totals, +scan orders, +scan totals', 'server'],
];

describe('without a transaction', () => {
  test.each(alone)('%s', async (text, expected, locksFrom) => {
    const [traced] = await traceStatements({ wire, statements: [text], transaction: 'none' });
    expect(shortly(traced!)).toBe(expected);
    expect(traced).toMatchObject({ locksFrom });
  });
});

// What is sent, the table that another session holds meanwhile, and how the server asks for it.
const asked: readonly (readonly [string, string, LockMode])[] = [
  ['create index concurrently asked on orders (id)', 'orders', 'SHARE UPDATE EXCLUSIVE'],
  ['reindex table concurrently orders', 'orders', 'SHARE UPDATE EXCLUSIVE'],
  ['reindex index concurrently asked', 'orders', 'SHARE UPDATE EXCLUSIVE'],
  ['drop index concurrently public.asked', 'orders', 'SHARE UPDATE EXCLUSIVE'],
  ['vacuum (analyze) orders', 'orders', 'SHARE UPDATE EXCLUSIVE'],
  ['vacuum full orders', 'orders', 'ACCESS EXCLUSIVE'],
  ['alter table parts detach partition parts_20 concurrently', 'parts', 'SHARE UPDATE EXCLUSIVE'],
  ['alter table parts detach partition parts_21 concurrently', 'parts_21', 'ACCESS EXCLUSIVE'],
];

test('what is told by the kind of a statement is what the server asks for', async () => {
  const own = await createDatabase();
  await own.query(`${schema} create table parts (at date) partition by range (at);
    create table parts_20 partition of parts for values from ('2020-01-01') to ('2021-01-01');
    create table parts_21 partition of parts for values from ('2021-01-01') to ('2022-01-01')`);
  const [blocker, observer, sender] = [await own.connect(), await own.connect(), new Wire(await own.connect())];
  const request = `select mode from pg_locks where not granted and locktype = 'relation' and relation = $1::regclass`;
  for (const [text, table, mode] of asked) {
    const blocking = mode === 'ACCESS EXCLUSIVE' ? 'access share' : 'share update exclusive'; // what nothing weaker would wait for
    await blocker.query(`begin; lock table ${table} in ${blocking} mode`);
    const tracing = traceStatements({ wire: sender, statements: [text], transaction: 'none' });
    const requested = async () => parseLockMode(String((await observer.query<{ mode: string }>(request, [table])).rows[0]?.mode));
    await expect.poll(requested, { interval: 5, timeout: 10_000 }).toBe(mode);
    await blocker.query('rollback');
    const [traced] = await tracing;
    expect(traced?.error).toBeUndefined();
    expect(traced?.locksFrom).toBe('statement');
    expect(traced?.locks).toContainEqual({ table: `public.${table}`, mode });
  }
});
