import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LintRule } from '../../src/config/index.js';
import { major } from '../support/majors.js';
import { createExampleDatabase, findingsIn, lintExample, migrationsIn, type LintInput } from './fixture.js';

let client: pg.Client;

beforeAll(async () => {
  client = await (await createExampleDatabase()).connect();
});

interface Case {
  readonly title: string;
  /** What is there before: rolled back after the case. */
  readonly given?: string;
  readonly sql: string;
  /** The messages of the rule, without sizes. */
  readonly finds: readonly string[];
  /** Without a database. */
  readonly blind?: true;
  readonly released?: LintInput['released'];
  readonly smallTableRows?: number;
}

async function findingsOf(rule: LintRule, { given, sql, blind, released, smallTableRows = 10 }: Omit<Case, 'title' | 'finds'>) {
  await client.query(`begin; ${given ?? ''}`);
  const input = { client: blind ? undefined : client, migrations: migrationsIn(sql), options: { lint: { smallTableRows } } };
  const linted = await lintExample({ ...input, ...(released && { released }) }).finally(async () => await client.query('rollback'));
  return findingsIn(linted).filter(({ code }) => code === rule);
}

const sizeless = (text: string) => text.replace(/ \([\d.]+ \w+, about [\d,]+ rows\)/g, '');

function describeRule(rule: LintRule, cases: readonly Case[]): void {
  describe(`${rule}`, () => {
    test.each(cases)('$title', async ({ finds, ...input }) => {
      expect((await findingsOf(rule, input)).map(({ message }) => sizeless(message))).toEqual(finds);
    });
  });
}

const outside = '-- transaction: false\n';
const writesWait = (table: string) => `create index locks "${table}" in SHARE mode: every write to it waits until the build ends`;

describeRule('create-index-blocking', [
  { title: 'a unique index', sql: 'create unique index on orders (id, note);', finds: [writesWait('orders')] },
  { title: 'concurrently', sql: `${outside}create index concurrently on orders (note);`, finds: [] },
  { title: 'a small table', sql: 'create index on countries (name);', finds: [] },
  { title: 'a table that is not there', sql: 'create index on nowhere (name);', finds: [] },
  { title: 'a table of the same migration', sql: 'create table a (id int);\ncreate index on a (id);', finds: [] },
  { title: 'of an earlier pending one', sql: 'create table a (id int);\n-- next migration\ncreate index on a (id);', finds: [] },
  {
    title: 'of an earlier pending one that may be released alone',
    sql: 'create table a (id int);\n-- next migration\ncreate index on a (id);',
    released: 'apart',
    finds: [],
  },
  {
    title: 'a table of the same migration under another name',
    sql: 'create table a (id int);\nalter table a rename to b;\ncreate index on b (id);',
    finds: [],
  },
  { title: 'create table like', sql: 'create table a (like orders);\ncreate index on a (id);', finds: [] },
  { title: 'create table as', sql: 'create table a as select * from orders;\ncreate index on a (id);', finds: [] },
  { title: 'select into', sql: 'select * into a from orders;\ncreate index on a (id);', finds: [] },
  { title: 'a temporary table that hides a large one', sql: 'create temp table orders (id int);\ncreate index on orders (id);', finds: [] },
  { title: 'create schema with a table', sql: 'create schema s create table a (id int);\ncreate index on s.a (id);', finds: [] },
  {
    title: 'a table that moves to another schema',
    sql: 'create schema s;\ncreate table a (id int);\nalter table a set schema s;\ncreate index on s.a (id);',
    finds: [],
  },
  {
    title: 'a large table under its new name',
    sql: 'alter table orders rename to sales;\ncreate index on sales (note);',
    finds: [writesWait('sales')],
  },
  {
    title: 'create table if not exists of one that is there',
    sql: 'create table if not exists orders (id int);\ncreate index on orders (id, note);',
    finds: [writesWait('orders')],
  },
  { title: 'if not exists, of an index that is there', sql: 'create index if not exists orders_status_idx on orders (status);', finds: [] },
  {
    title: 'quoted and upper-case names',
    given: 'create table "Big One" (id int); insert into "Big One" values (1);',
    sql: 'create index on "Big One" (id);',
    finds: [writesWait('Big One')],
  },
  {
    title: 'another schema by search_path',
    given: 'create schema s; create table s.big (id int); insert into s.big values (1);',
    sql: 'set local search_path = s;\ncreate index on big (id);',
    finds: ['create index locks "s"."big" in SHARE mode: every write to it waits until the build ends'],
  },
  {
    title: 'one partition',
    given: `create table p (k int) partition by list (k); create table p1 partition of p for values in (1); insert into p values (1);`,
    sql: 'create index on p1 (k);',
    finds: [writesWait('p1')],
  },
  {
    title: 'a materialized view, to which nobody writes',
    given: 'create materialized view m as select id from orders;',
    sql: 'create index on m (id);',
    finds: [],
  },
  {
    title: 'inside a block',
    sql: `do $$ begin if true then execute 'create index on orders (note)'; end if; end $$;`,
    finds: [writesWait('orders')],
  },
  { title: 'without a database', sql: 'create index on orders (note);', blind: true, finds: [writesWait('orders')] },
  { title: 'without a database, a new table', sql: 'create table a (id int);\ncreate index on a (id);', blind: true, finds: [] },
]);

const dropped = (index: string, table = '"orders"') =>
  `drop index ${index} locks ${table} in ACCESS EXCLUSIVE mode: every read and write of it waits until the transaction ends`;

describeRule('drop-index-blocking', [
  {
    title: 'each of several',
    given: 'create index o2 on orders (note);',
    sql: 'drop index orders_status_idx, o2;',
    finds: [dropped('"orders_status_idx"'), dropped('"o2"')],
  },
  { title: 'if exists, of one that is not there', sql: 'drop index if exists nothing;', finds: [] },
  { title: 'of a small table', given: 'create index c on countries (name);', sql: 'drop index c;', finds: [] },
  { title: 'of a new table', sql: 'create table a (id int);\ncreate index i on a (id);\ndrop index i;', finds: [] },
  {
    title: 'an index that was made just before',
    sql: `${outside}create index concurrently i on orders (note);\ndrop index i;`,
    finds: [dropped('"i"')],
  },
  { title: 'a renamed one', sql: 'alter index orders_status_idx rename to i;\ndrop index i;', finds: [dropped('"i"')] },
  { title: 'in a block', sql: 'do $$ begin drop index orders_status_idx; end $$;', finds: [dropped('"orders_status_idx"')] },
  { title: 'without a database', sql: 'drop index i;', blind: true, finds: [dropped('"i"', 'its table')] },
]);

test('drop-index-blocking writes out each of several', async () => {
  const sql = 'drop index if exists public.orders_status_idx, customers_pkey cascade;';
  expect((await findingsOf('drop-index-blocking', { sql })).map(({ remedy }) => remedy)).toEqual([
    'Write `DROP INDEX CONCURRENTLY IF EXISTS public.orders_status_idx`, and export const config = { transaction: false }.',
    'Write `DROP INDEX CONCURRENTLY IF EXISTS customers_pkey`, and export const config = { transaction: false }.',
  ]);
});

const reindexed = (table: string, what: string) =>
  `reindex locks ${table} in SHARE mode and ${what} in ACCESS EXCLUSIVE: every write to it waits until the build ends, and so does nearly every read`;

describeRule('reindex-blocking', [
  { title: 'a table', sql: 'reindex table orders;', finds: [reindexed('"orders"', 'its indexes')] },
  { title: 'a small table', sql: 'reindex table countries;', finds: [] },
  { title: 'a schema', sql: `${outside}reindex schema public;`, finds: [reindexed('each table of the schema', 'its indexes')] },
  { title: 'concurrently', sql: `${outside}reindex table concurrently orders;`, finds: [] },
  { title: 'concurrently, as an option', sql: `${outside}reindex (concurrently) index orders_status_idx;`, finds: [] },
  { title: 'an option that is off', sql: 'reindex (concurrently off) table orders;', finds: [reindexed('"orders"', 'its indexes')] },
]);

const refused = (what: string, where = 'a transaction, and this migration runs in one') =>
  `${what} fails with 25001: PostgreSQL refuses it inside ${where}`;
const partitioned =
  'create table p (k int) partition by list (k); create table p1 partition of p for values in (1); create index pi on p (k); insert into p values (1);';

describeRule('concurrently-in-transaction', [
  { title: 'drop index', sql: 'drop index concurrently orders_status_idx;', finds: [refused('drop index concurrently')] },
  { title: 'reindex', sql: 'reindex (concurrently) table orders;', finds: [refused('reindex concurrently')] },
  { title: 'reindex of a schema', sql: 'reindex schema public;', finds: [refused('reindex of a schema')] },
  {
    title: 'reindex of a partitioned table',
    given: partitioned,
    sql: 'reindex table p;',
    finds: [refused('reindex of a partitioned table')],
  },
  {
    title: 'reindex of a partitioned index',
    given: partitioned,
    sql: 'reindex index pi;',
    finds: [refused('reindex of a partitioned index')],
  },
  { title: 'reindex of one table', sql: 'reindex table orders;', finds: [] },
  {
    title: 'detach',
    given: partitioned,
    sql: 'alter table p detach partition p1 concurrently;',
    finds: [refused('detach partition concurrently')],
  },
  { title: 'vacuum', sql: 'vacuum orders;', finds: [refused('vacuum')] },
  { title: 'vacuum full', sql: 'vacuum full orders;', finds: [refused('vacuum full')] },
  { title: 'analyze', sql: 'analyze orders;', finds: [] },
  { title: 'cluster of one table', sql: 'cluster orders using orders_pkey;', finds: [] },
  { title: 'cluster of all', sql: 'cluster;', finds: [refused('cluster of more than one table')] },
  { title: 'create database', sql: 'create database d;', finds: [refused('create database')] },
  { title: 'alter system', sql: `alter system set work_mem = '8MB';`, finds: [refused('alter system')] },
  { title: 'discard all', sql: 'discard all;', finds: [refused('discard all')] },
  { title: 'discard plans', sql: 'discard plans;', finds: [] },
  { title: 'refresh materialized view', sql: 'refresh materialized view concurrently m;', finds: [] },
  { title: 'outside of a transaction', sql: `${outside}vacuum orders;`, finds: [] },
  {
    title: 'in one that the migration has begun',
    sql: `${outside}begin;\ncreate index concurrently on orders (note);\ncommit;\nvacuum orders;`,
    finds: [refused('create index concurrently', 'a transaction, and this migration has begun one')],
  },
  {
    title: 'in a block',
    sql: `${outside}do $$ begin create index concurrently on orders (note); end $$;`,
    finds: [refused('create index concurrently', 'a block of code')],
  },
  {
    title: 'as one of several in a message',
    sql: `${outside}vacuum orders; select 1;`,
    finds: [refused('vacuum', 'a transaction, and several statements in one message share one')],
  },
  {
    title: 'without a database',
    sql: 'create index concurrently on orders (note);',
    blind: true,
    finds: [refused('create index concurrently')],
  },
]);

const allPartitions = 'create index locks "p" and all of its partitions in SHARE mode: every write to it waits until the last build ends';

describeRule('concurrently-on-partitioned', [
  { title: 'not concurrently', given: partitioned, sql: 'create index on p (k, k);', finds: [allPartitions] },
  { title: 'on only', given: partitioned, sql: 'create index on only p (k);', finds: [] },
  { title: 'a new one', sql: 'create table p (k int) partition by list (k);\ncreate index on p (k);', finds: [] },
  {
    title: 'a new one, concurrently',
    sql: `${outside}create table p (k int) partition by list (k);\ncreate index concurrently on p (k);`,
    finds: ['create index concurrently fails with 0A000: "p" is a partitioned table'],
  },
  {
    title: 'a new one that has got a large partition',
    given: 'create table p1 (k int); insert into p1 values (1);',
    sql: 'create table p (k int) partition by list (k);\nalter table p attach partition p1 for values in (1);\ncreate index on p (k);',
    finds: [allPartitions],
  },
  {
    title: 'an index of a partitioned table is dropped concurrently',
    given: partitioned,
    sql: `${outside}drop index concurrently pi;`,
    finds: ['drop index concurrently fails with 0A000: "pi" is an index of a partitioned table'],
  },
  { title: 'of one partition', given: partitioned, sql: `${outside}create index concurrently on p1 (k);`, finds: [] },
  { title: 'without a database', sql: `${outside}create index concurrently on p (k);`, blind: true, finds: [] },
]);

test('concurrently-on-partitioned writes out all partitions, also those of partitions', async () => {
  const given = `create schema "S"; create table "S".p (k int, l int) partition by list (k); create table p1 partition of "S".p for values in (1);
    create table p2 partition of "S".p for values in (2) partition by list (l); create table p21 partition of p2 for values in (1);`;
  const [finding] = await findingsOf('concurrently-on-partitioned', {
    given,
    sql: `${outside}create unique index concurrently "I" on "S".p using btree (k, l) where k > 0;`,
  });
  expect(finding?.remedy).toBe(
    [
      'Make the index of the parent alone, which is instant: `CREATE UNIQUE INDEX "I" ON ONLY "S".p (k, l) WHERE k > 0`, `CREATE UNIQUE INDEX p2_k_l_idx ON ONLY p2 (k, l) WHERE k > 0`.',
      'Then build it on each partition, and export const config = { transaction: false } for that: `CREATE UNIQUE INDEX CONCURRENTLY p1_k_l_idx ON p1 (k, l) WHERE k > 0`, `CREATE UNIQUE INDEX CONCURRENTLY p21_k_l_idx ON p21 (k, l) WHERE k > 0`.',
      'Then attach them: `alter index "S"."I" attach partition "p1_k_l_idx"`, `alter index "S"."I" attach partition "p2_k_l_idx"`, `alter index "p2_k_l_idx" attach partition "p21_k_l_idx"`.',
    ].join(' '),
  );
});

const broken = `create index o2 on orders (note); update pg_index set indisvalid = false where indexrelid = 'o2'::regclass;`;
const nothingDone = `create index if not exists does nothing: "o2" is there, and invalid, as a build that has failed leaves it; no query uses it, and every write pays for it`;

describeRule('invalid-index-left-behind', [
  { title: 'not concurrently', given: broken, sql: 'create index if not exists o2 on orders (note);', finds: [nothingDone] },
  {
    title: 'of another table in the same schema',
    given: broken,
    sql: 'create index if not exists o2 on customers (name);',
    finds: [nothingDone],
  },
  { title: 'without if not exists', given: broken, sql: `${outside}create index concurrently o2 on orders (note);`, finds: [] },
  { title: 'a valid one', sql: `${outside}create index concurrently if not exists orders_status_idx on orders (status);`, finds: [] },
  { title: 'none', sql: `${outside}create index concurrently if not exists o2 on orders (note);`, finds: [] },
  {
    title: 'after it was dropped',
    given: broken,
    sql: `${outside}drop index concurrently o2;\ncreate index concurrently if not exists o2 on orders (note);`,
    finds: [],
  },
  {
    title: 'after it was built again',
    given: broken,
    sql: `${outside}reindex index concurrently o2;\ncreate index concurrently if not exists o2 on orders (note);`,
    finds: [],
  },
  {
    title: 'the index of a partitioned table, invalid until its last partition',
    given: 'create table p (k int) partition by list (k); create table p1 partition of p for values in (1); create index o2 on only p (k);',
    sql: 'create index if not exists o2 on only p (k);',
    finds: [],
  },
  {
    title: 'without a database',
    sql: `${outside}create index concurrently if not exists o2 on orders (note);`,
    blind: true,
    finds: [`not judged without a database: ${nothingDone}, unless no invalid index of that name is there`],
  },
]);

const duplicate = (columns: string, other: string, covered: string, table = 'orders') =>
  `the index on (${columns}) of "${table}" serves nothing that "${other}" on (${covered}) does not: every write pays for both`;

describeRule('duplicate-index', [
  {
    title: 'the beginning of a longer one',
    given: 'create index o2 on orders (note, placed);',
    sql: 'create index on orders (note);',
    finds: [duplicate('note', 'o2', 'note, placed')],
  },
  {
    title: 'the end of a longer one',
    given: 'create index o2 on orders (note, placed);',
    sql: 'create index on orders (placed);',
    finds: [],
  },
  { title: 'the primary key', sql: 'create index on orders (id);', finds: [duplicate('id', 'orders_pkey', 'id')] },
  { title: 'the primary key again, unique', sql: 'create unique index on orders (id);', finds: [duplicate('id', 'orders_pkey', 'id')] },
  { title: 'unique, where the other is not', sql: 'create unique index on orders (status);', finds: [] },
  {
    title: 'unique, where the other is unique on more',
    given: 'create unique index o2 on orders (note, id);',
    sql: 'create unique index on orders (note);',
    finds: [],
  },
  { title: 'partial', sql: 'create index on orders (status) where amount > 1;', finds: [] },
  {
    title: 'the other is partial',
    given: 'create index o2 on orders (note) where amount > 1;',
    sql: 'create index on orders (note);',
    finds: [],
  },
  { title: 'descending', sql: 'create index on orders (status desc);', finds: [] },
  { title: 'the other is descending', given: 'create index o2 on orders (note desc);', sql: 'create index on orders (note);', finds: [] },
  { title: 'with an operator class', sql: 'create index on orders (status varchar_pattern_ops);', finds: [] },
  {
    title: 'the other has an operator class',
    given: 'create index o2 on orders (note text_pattern_ops);',
    sql: 'create index on orders (note);',
    finds: [],
  },
  { title: 'with a collation', sql: 'create index on orders (status collate "C");', finds: [] },
  {
    title: 'the other has a collation',
    given: 'create index o2 on orders (note collate "C");',
    sql: 'create index on orders (note);',
    finds: [],
  },
  { title: 'with more columns in it', sql: 'create index on orders (status) include (note);', finds: [] },
  { title: 'of another method', sql: 'create index on orders using hash (status);', finds: [] },
  { title: 'an expression', given: 'create index o2 on orders (lower(note));', sql: 'create index on orders (lower(note));', finds: [] },
  { title: 'the other is invalid', given: broken, sql: 'create index on orders (note);', finds: [] },
  { title: 'the other is dropped', sql: 'create index o2 on orders (status);\ndrop index orders_status_idx;', finds: [] },
  {
    title: 'of a new table',
    sql: 'create table a (id int primary key);\ncreate index on a (id);',
    finds: [duplicate('id', 'a_pkey', 'id', 'a')],
  },
  {
    title: 'of a new table, without a database',
    sql: 'create table a (id int primary key);\ncreate index on a (id);',
    blind: true,
    finds: [duplicate('id', 'a_pkey', 'id', 'a')],
  },
]);

const rewritten = (what: string, table = '"orders"') =>
  `${what} writes all of ${table} anew under ACCESS EXCLUSIVE: every read and write of it waits until it is done`;

describeRule('table-rewrite', [
  { title: 'vacuum full', sql: `${outside}vacuum (full) orders, countries;`, finds: [rewritten('vacuum full')] },
  { title: 'vacuum full of all', sql: `${outside}vacuum full;`, finds: [rewritten('vacuum full', 'each table')] },
  { title: 'vacuum', sql: `${outside}vacuum orders;`, finds: [] },
  { title: 'vacuum, and full is off', sql: `${outside}vacuum (full 0) orders;`, finds: [] },
  { title: 'set unlogged', sql: 'alter table orders set unlogged;', finds: [rewritten('set unlogged')] },
  { title: 'set tablespace', sql: 'alter table orders set tablespace t;', finds: [rewritten('set tablespace')] },
  { title: 'set access method', sql: 'alter table orders set access method heap2;', finds: [rewritten('set access method')] },
  { title: 'a storage parameter', sql: 'alter table orders set (fillfactor = 70);', finds: [] },
  { title: 'a small table', sql: 'cluster countries using countries_pkey;', finds: [] },
  { title: 'a new table', sql: 'create unlogged table a (id int);\nalter table a set logged;', finds: [] },
]);

const view = 'create materialized view m as select id, note from orders;';
const readersWait =
  'refresh materialized view locks "m" in ACCESS EXCLUSIVE mode: every read and write of it waits until its query has run';

const keyless = 'refresh materialized view concurrently fails with 55000: "m" has no unique index over columns alone, without WHERE';

describeRule('refresh-matview-blocking', [
  { title: 'concurrently, without a key', given: view, sql: 'refresh materialized view concurrently m;', finds: [keyless] },
  {
    title: 'concurrently, with a partial key',
    given: `${view} create unique index on m (id) where id > 5;`,
    sql: 'refresh materialized view concurrently m;',
    finds: [keyless],
  },
  {
    title: 'concurrently, with a key',
    given: `${view} create unique index on m (id);`,
    sql: 'refresh materialized view concurrently m;',
    finds: [],
  },
  {
    title: 'concurrently, with a key that comes before',
    given: view,
    sql: 'create unique index m_key on m (id);\nrefresh materialized view concurrently m;',
    finds: [],
  },
  { title: 'concurrently, without a database', sql: 'refresh materialized view concurrently m;', blind: true, finds: [] },
  { title: 'a large one', given: view, sql: 'refresh materialized view m;', finds: [readersWait] },
  {
    title: 'with no data',
    given: view,
    sql: 'refresh materialized view m with no data;',
    finds: ['refresh with no data empties "m": every read of it fails until it is refreshed'],
  },
  {
    title: 'one that nobody could read yet',
    given: `${view.replace(';', '')} with no data;`,
    sql: 'refresh materialized view m;',
    finds: [],
  },
  { title: 'a new one', sql: `${view}\nrefresh materialized view m;`, finds: [] },
  { title: 'a new one, without a database', sql: `${view}\nrefresh materialized view m;`, blind: true, finds: [] },
  { title: 'without a database', sql: 'refresh materialized view m;', blind: true, finds: [readersWait] },
]);

test('refresh-matview-blocking says what is missing for a refresh that blocks nobody', async () => {
  const remedyOf = async (given: string) =>
    (await findingsOf('refresh-matview-blocking', { given, sql: 'refresh materialized view m;' }))[0]?.remedy;
  const write = 'Write `refresh materialized view concurrently "m"`.';
  expect(await remedyOf(view)).toBe(`Give it a unique index over columns alone, concurrently. ${write}`);
  expect(await remedyOf(`${view} create unique index on m (id) where id > 0; create index on m (id);`)).toContain('Give it a unique index');
  expect(await remedyOf(`${view} create unique index on m (id);`)).toBe(write);
});

// What the server did beside what the lint says of it: `doubt` where it cannot tell.
interface Bound {
  readonly key: string;
  readonly type?: string;
  /** Of the table: its CHECK and its NOT NULL. */
  readonly check?: string;
  readonly bound: string;
  readonly server: 'reads' | 'knows';
  readonly lint?: 'doubt';
}

async function traceOn(table: string, given: string, sql: string): Promise<Bound['server']> {
  const scans = async () =>
    Number((await client.query<{ n: string }>(`select pg_stat_get_xact_numscans('${table}'::regclass) as n`)).rows[0]?.n);
  await client.query(`begin; ${given}`);
  const before = await scans();
  await client.query(sql);
  const after = await scans();
  await client.query('rollback');
  return after > before ? 'reads' : 'knows';
}

const named = ({ key, type, check, bound }: Bound) => `${type ?? 'int not null'}, ${key}, check (${check ?? 'none'}), ${bound}`;
const checked = ({ check }: Bound) => (check === undefined ? '' : `, check (${check})`);
const said = (messages: readonly { readonly message: string }[]) =>
  messages.length === 0 ? 'knows' : messages[0]?.message.includes('(unless the server') ? 'doubt' : 'reads';

const range = 'range (k)';
const list = 'list (k)';
const year = `from ('2024-01-01') to ('2025-01-01')`;
const within: readonly Bound[] = [
  { key: range, bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'k >= 1 and k < 10', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k > 2 and k <= 9', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k >= 1 and k <= 10', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'k >= 0 and k < 10', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: '1 <= k and 10 > k', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k between -3 and 9', bound: 'from (-3) to (10)', server: 'knows' },
  { key: range, check: 'k = 5', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k in (5, 9)', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k in (5, 10)', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'k = 5 or k = 6', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k < 10', bound: 'from (minvalue) to (10)', server: 'knows' },
  { key: range, check: 'k >= 10', bound: 'from (10) to (maxvalue)', server: 'knows' },
  { key: range, bound: 'from (minvalue) to (maxvalue)', server: 'knows' },
  { key: range, check: 'id > 5', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'k + 0 >= 1 and k < 10', bound: 'from (1) to (10)', server: 'reads', lint: 'doubt' },
  { key: range, type: 'int', check: 'k >= 1 and k < 10', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, type: 'int', check: 'k is not null and k >= 1 and k < 10', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, type: 'date not null', check: `k >= '2024-01-01' and k < '2025-01-01'`, bound: year, server: 'knows' },
  { key: range, type: 'date not null', check: `k >= date '2024-02-01' and k <= '2024-12-31'`, bound: year, server: 'knows' },
  { key: range, type: 'timestamp not null', check: `k >= '2024-01-01' and k < '2024-12-31 23:59:59.5'`, bound: year, server: 'knows' },
  { key: range, type: 'timestamp not null', check: `k >= '2024-01-01' and k <= '2025-01-01'`, bound: year, server: 'reads' },
  {
    key: range,
    type: 'timestamptz not null',
    check: `k >= '2024-01-01' and k < '2025-01-01'`,
    bound: year,
    server: 'knows',
    lint: 'doubt',
  },
  { key: range, type: 'text not null', check: `k >= 'a' and k < 'b'`, bound: `from ('a') to ('b')`, server: 'knows' },
  { key: range, type: 'text not null', check: `k >= 'b' and k < 'c'`, bound: `from ('a') to ('d')`, server: 'knows', lint: 'doubt' },
  { key: range, type: 'text not null', check: `k >= '10' and k < '5'`, bound: `from ('1') to ('6')`, server: 'knows', lint: 'doubt' },
  { key: range, type: 'numeric not null', check: 'k >= 1.5 and k < 2', bound: 'from (1.5) to (2)', server: 'knows' },
  { key: 'range (k, id)', check: 'k >= 1 and k < 10', bound: 'from (1, 0) to (10, 0)', server: 'reads', lint: 'doubt' },
  { key: 'range (k, id)', bound: 'from (1, 0) to (10, 0)', server: 'reads' },
  { key: 'range ((k + 1))', check: 'k >= 1', bound: 'from (1) to (10)', server: 'reads', lint: 'doubt' },
  { key: list, bound: 'in (1, 2)', server: 'reads' },
  { key: list, check: 'k in (1, 2)', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'k = any (array[1])', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'k = 1 or k = 2', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'k in (1, 3)', bound: 'in (1, 2)', server: 'reads' },
  { key: list, type: 'int', check: 'k in (1, 2)', bound: 'in (1, 2)', server: 'reads' },
  { key: list, type: 'int', check: 'k in (1, 2)', bound: 'in (1, 2, null)', server: 'knows' },
  { key: list, type: 'text not null', check: `k = 'a'`, bound: `in ('a')`, server: 'knows' },
  { key: list, type: 'varchar(9) not null', check: `k in ('a', 'b')`, bound: `in ('a', 'b', 'c')`, server: 'knows' },
  { key: 'hash (k)', bound: 'with (modulus 2, remainder 0)', server: 'reads' },
  { key: list, bound: 'default', server: 'knows' },
];

describe('whether the server reads a table that is attached', () => {
  test.each(within.map((bound) => [named(bound), bound] as const))('%s', async (_, bound) => {
    const given = `create table p (id int, k ${bound.type ?? 'int not null'}) partition by ${bound.key};
      create table t (id int, k ${bound.type ?? 'int not null'}${checked(bound)});`;
    const sql = `alter table p attach partition t ${bound.bound === 'default' ? 'default' : `for values ${bound.bound}`}`;
    expect(await traceOn('t', given, sql)).toBe(bound.server);
    expect(said(await findingsOf('attach-partition-scan', { given, sql, smallTableRows: 0 }))).toBe(bound.lint ?? bound.server);
  });
});

const without: readonly Bound[] = [
  { key: range, bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'not (k >= 1 and k < 10)', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k < 1 or k >= 10', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k < 1 or k > 11', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k < 1 or k >= 9', bound: 'from (1) to (10)', server: 'reads' },
  { key: range, check: 'k < 0', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k >= 10', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, check: 'k in (0, 10)', bound: 'from (1) to (10)', server: 'knows' },
  { key: range, type: 'int', check: 'k < 1 or k >= 10', bound: 'from (1) to (10)', server: 'knows' },
  { key: list, bound: 'in (1, 2)', server: 'reads' },
  { key: list, check: 'k not in (1, 2)', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'k <> all (array[1, 2, 3])', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'not (k in (1, 2))', bound: 'in (1, 2)', server: 'knows' },
  { key: list, check: 'k <> 1', bound: 'in (1)', server: 'knows' },
  { key: list, check: 'k <> 1', bound: 'in (1, 2)', server: 'reads' },
];

describe('whether the server reads the default partition', () => {
  test.each(without.map((bound) => [named(bound), bound] as const))('%s', async (_, bound) => {
    const given = `create table p (id int, k ${bound.type ?? 'int not null'}) partition by ${bound.key};
      create table rest partition of p default; ${bound.check ? `alter table rest add check (${bound.check});` : ''}`;
    const sql = `create table p1 partition of p for values ${bound.bound}`;
    expect(await traceOn('rest', given, sql)).toBe(bound.server);
    expect(said(await findingsOf('default-partition-scan', { given, sql, smallTableRows: 0 }))).toBe(bound.server);
  });
});

const reads = (table: string, doubt = '') =>
  `attach partition reads all of "${table}" under ACCESS EXCLUSIVE${doubt}: every read and write of it waits until the scan ends`;
const part = 'create table p (k int) partition by list (k); create table t (k int); insert into t values (1);';
const attach = 'alter table p attach partition t for values in (1);';

describeRule('attach-partition-scan', [
  { title: 'a large table', given: part, sql: attach, finds: [reads('t')] },
  {
    title: 'a large table, to a new one',
    given: part.replace(/^.*?; /, ''),
    sql: `create table p (k int) partition by list (k);\n${attach}`,
    finds: [reads('t')],
  },
  { title: 'a new table', given: part, sql: 'create table a (like t);\nalter table p attach partition a for values in (2);', finds: [] },
  {
    title: 'an empty table',
    given: `${part} create table e (k int);`,
    sql: 'alter table p attach partition e for values in (2);',
    finds: [],
  },
  {
    title: 'after a CHECK that is validated in a migration before',
    given: part,
    sql: `alter table t add constraint c check (k is not null and k = 1) not valid;\n-- next migration\nalter table t validate constraint c;\n-- next migration\n${attach}`,
    finds: [],
  },
  {
    title: 'after a CHECK that is not validated',
    given: part,
    sql: `alter table t add constraint c check (k is not null and k = 1) not valid;\n${attach}`,
    finds: [reads('t')],
  },
  { title: 'the index of a partition', given: partitioned, sql: 'alter index pi attach partition p1_k_idx;', finds: [] },
  {
    title: 'without a database',
    sql: attach,
    blind: true,
    finds: [`not judged without a database: ${reads('t')}, unless a validated CHECK implies its bound`],
  },
]);

test('attach-partition-scan writes the bound as a CHECK', async () => {
  const remedyOf = async (key: string, bound: string) =>
    (
      await findingsOf('attach-partition-scan', {
        given: `create table p (k int, l int) partition by ${key}; create table t (k int, l int); insert into t values (1);`,
        sql: `alter table p attach partition t ${bound};`,
      })
    )[0]?.remedy
      .match(/check \((.*)\) not valid|^Attach.*/)
      ?.find((_, index, { length }) => index === length - 1);
  expect(await remedyOf('range (k)', 'for values from (1) to (10)')).toBe('"k" is not null and "k" >= 1 and "k" < 10');
  expect(await remedyOf('range (k)', 'for values from (minvalue) to (10)')).toBe('"k" is not null and "k" < 10');
  expect(await remedyOf('list (k)', 'for values in (1, 2)')).toBe('"k" is not null and "k" in (1, 2)');
  expect(await remedyOf('list (k)', 'for values in (1, null)')).toBe('"k" is null or "k" in (1)');
});

const rest = (table = 'rest') =>
  `a new partition of "p" reads all of the default partition "${table}" under ACCESS EXCLUSIVE, for rows that belong into the new one: every read and write of it waits until the scan ends`;
const withDefault = 'create table p (k int) partition by list (k); create table rest partition of p default; insert into p values (1);';

describeRule('default-partition-scan', [
  {
    title: 'a partition is attached',
    given: `${withDefault} create table t (k int);`,
    sql: 'alter table p attach partition t for values in (2);',
    finds: [rest()],
  },
  {
    title: 'an empty default partition',
    given: withDefault.replace(/insert.*/, ''),
    sql: 'create table p2 partition of p for values in (2);',
    finds: [],
  },
  {
    title: 'a table that has just become the default partition',
    given: part,
    sql: 'alter table p attach partition t default;\ncreate table p2 partition of p for values in (2);',
    finds: [rest('t')],
  },
  {
    title: 'a default partition that is detached before',
    given: withDefault,
    sql: 'alter table p detach partition rest;\ncreate table p2 partition of p for values in (2);',
    finds: [],
  },
  {
    title: 'a new table',
    sql: 'create table p (k int) partition by list (k);\ncreate table rest partition of p default;\ncreate table p2 partition of p for values in (2);',
    finds: [],
  },
  { title: 'no default partition', given: part, sql: 'create table p2 partition of p for values in (2);', finds: [] },
]);

describeRule('detach-partition-blocking', [
  {
    title: 'a large one',
    given: partitioned,
    sql: 'alter table p detach partition p1;',
    finds: ['detach partition locks "p" in ACCESS EXCLUSIVE mode: every read and write of it waits until the transaction ends'],
  },
  { title: 'concurrently', given: partitioned, sql: `${outside}alter table p detach partition p1 concurrently;`, finds: [] },
  {
    title: 'concurrently, with a default partition',
    given: withDefault,
    sql: `${outside}alter table p detach partition rest concurrently;`,
    finds: ['detach partition concurrently fails with 55000: "p" has a default partition, "rest"'],
  },
  {
    title: 'a new one',
    sql: 'create table p (k int) partition by list (k);\ncreate table p1 partition of p for values in (1);\nalter table p detach partition p1;',
    finds: [],
  },
]);

const meanwhile = (what: string, held = '"customers"', name = '"customers"') =>
  `${what} while the transaction still holds ACCESS EXCLUSIVE on ${held}: every read and write of ${name} waits until it ends`;
const first = 'alter table customers add column x int;\n';
const onOrders = (what: string) => meanwhile(what, 'it', '"orders"');

const touch = "create function touch() returns trigger language plpgsql as 'begin return new; end';";

describeRule('work-while-locked', [
  {
    title: 'a build on the same table',
    sql: 'alter table orders add column x int;\ncreate index on orders (x);',
    finds: [onOrders('create index builds an index over "orders"')],
  },
  {
    title: 'a build on another',
    sql: `${first}create index on orders (note);`,
    finds: [meanwhile('create index builds an index over "orders"')],
  },
  {
    title: 'a scan of another',
    sql: `${first}alter table orders alter column note set not null;`,
    finds: [meanwhile('alter table reads all of "orders"')],
  },
  {
    title: 'a scan of the same, of which its own rule tells',
    sql: 'alter table orders add column x int;\nalter table orders alter column note set not null;',
    finds: [],
  },
  {
    title: 'a validation of another',
    given: 'alter table orders add constraint c check (id > 0) not valid;',
    sql: `${first}alter table orders validate constraint c;`,
    finds: [meanwhile('alter table reads all of "orders"')],
  },
  {
    title: 'a validation of the same, which is validate-same-tx',
    sql: 'alter table orders add constraint c check (id > 0) not valid;\nalter table orders validate constraint c;',
    finds: [],
  },
  {
    title: 'rows by their key',
    sql: `${first}update orders set note = 'x' where id = 1;\ndelete from orders where id in (1, 2);`,
    finds: [],
  },
  {
    title: 'rows by something else',
    sql: `${first}delete from orders where note = 'x';`,
    finds: [meanwhile('delete changes rows of "orders"')],
  },
  { title: 'rows that are written out', sql: `${first}insert into orders (id) values (-1);`, finds: [] },
  {
    title: 'rows out of a large table',
    sql: `${first}insert into countries select 'x', note from orders;`,
    finds: [meanwhile('insert reads all of "orders"')],
  },
  {
    title: 'a copy of a large table',
    sql: `${first}create table a as select * from orders;`,
    finds: [meanwhile('create table reads all of "orders"')],
  },
  { title: 'rows of a small table', sql: `${first}update countries set name = 'x';`, finds: [] },
  {
    title: 'after a lock on a small table',
    sql: `alter table countries add column x int;\nupdate orders set note = 'x' where placed is null;`,
    finds: [
      'update changes rows of "orders" while the transaction still holds ACCESS EXCLUSIVE on "countries": every read and write of "countries" waits until it ends',
    ],
  },
  {
    title: 'after a lock that blocks writes alone',
    given: touch,
    sql: `create trigger touched before update on customers for each row execute function touch();\nupdate orders set note = 'x' where placed is null;`,
    finds: [
      'update changes rows of "orders" while the transaction still holds SHARE ROW EXCLUSIVE on "customers": every write to "customers" waits until it ends',
    ],
  },
  {
    title: 'a query of all rows',
    sql: `${first}select count(*) from orders where note = 'x';`,
    finds: [meanwhile('select reads all of "orders"')],
  },
  { title: 'a query by a key', sql: `${first}select * from orders where id in (1, 2);`, finds: [] },
  { title: 'a query of some rows', sql: `${first}select * from orders limit 5;`, finds: [] },
  {
    title: 'a materialized view',
    sql: `${first}create materialized view m as select note from orders;`,
    finds: [meanwhile('create materialized view reads all of "orders"')],
  },
  { title: 'a view', sql: `${first}create view v as select note from orders;`, finds: [] },
  {
    title: 'after a lock on a new table',
    sql: `create table a (id int);\nalter table a add column x int;\nupdate orders set note = 'x' where placed is null;`,
    finds: [],
  },
  { title: 'before the lock', sql: `update orders set note = 'x' where placed is null;\n${first}`, finds: [] },
  { title: 'outside of a transaction', sql: `${outside}${first}update orders set note = 'x' where placed is null;`, finds: [] },
  {
    title: 'in a transaction of its own',
    sql: `${outside}begin;\n${first}update orders set note = 'x' where placed is null;\ncommit;`,
    finds: [meanwhile('update changes rows of "orders"')],
  },
  { title: 'after the commit', sql: `${outside}begin;\n${first}commit;\nupdate orders set note = 'x' where placed is null;`, finds: [] },
  {
    title: 'in one block',
    sql: `do $$ begin alter table customers add column x int; update orders set note = 'x' where placed is null; end $$;`,
    finds: [meanwhile('do changes rows of "orders"')],
  },
  {
    title: 'without a database',
    sql: `${first}create index on orders (note);`,
    blind: true,
    finds: [meanwhile('create index builds an index over "orders"')],
  },
]);

const both = (second: string, mode: string, held: string, command = 'alter table') =>
  `${command} locks "${second}" in ${mode} mode while the transaction still holds ${held}: what uses either waits for both, and a session that takes them the other way around deadlocks`;

describeRule('multiple-table-locks', [
  {
    title: 'a third table, too',
    given: 'create table t (id int); insert into t values (1);',
    sql: `${first}alter table orders add column x int;\nalter table t add column x int;`,
    finds: [
      both('orders', 'ACCESS EXCLUSIVE', 'ACCESS EXCLUSIVE on "customers"'),
      both('t', 'ACCESS EXCLUSIVE', 'ACCESS EXCLUSIVE on "customers"'),
    ],
  },
  { title: 'the same table twice', sql: `${first}alter table customers add column y int;`, finds: [] },
  {
    title: 'the same table under its new name',
    sql: 'alter table orders rename to sales;\nalter table sales add column x int;',
    finds: [],
  },
  { title: 'a small table', sql: `${first}alter table countries add column x int;`, finds: [] },
  { title: 'a new table', sql: `${first}create table a (id int);\nalter table a add column x int;`, finds: [] },
  {
    title: 'both in one statement',
    sql: 'alter table orders add constraint f foreign key (customer_id) references customers not valid;',
    finds: [],
  },
  {
    title: 'a trigger',
    sql: `${first}create trigger t before insert on orders execute function suppress_redundant_updates_trigger();`,
    finds: [both('orders', 'SHARE ROW EXCLUSIVE', 'ACCESS EXCLUSIVE on "customers"', 'create trigger')],
  },
  { title: 'weak locks', sql: `${first}alter table orders set (fillfactor = 70);`, finds: [] },
  { title: 'in two migrations', sql: `${first}-- next migration\nalter table orders add column x int;`, finds: [] },
]);

const all = (what: string) =>
  `${what} changes every row of "orders" in one transaction: whoever wants to write to one of them waits until it ends, and the table is bloated by as much as it holds`;

describeRule('bulk-dml', [
  { title: 'delete', sql: 'delete from orders;', finds: [all('delete')] },
  { title: 'where true', sql: `update orders set note = 'x' where true;`, finds: [all('update')] },
  { title: 'where 1 = 1', sql: `update orders set note = 'x' where 1 = 1;`, finds: [all('update')] },
  {
    title: 'a column that was just added is null in every row',
    sql: `alter table orders add column x int;\nupdate orders set x = 1 where x is null;`,
    finds: [all('update')],
  },
  {
    title: 'a column that was just added with a default is not',
    sql: `alter table orders add column x int default 1;\nupdate orders set x = 2 where x is null;`,
    finds: [],
  },
  { title: 'a column that was there', sql: `update orders set note = 'x' where note is null;`, finds: [] },
  { title: 'with from', sql: `update orders set note = c.name from customers c where c.id = customer_id;`, finds: [] },
  { title: 'a small table', sql: 'delete from countries;', finds: [] },
  { title: 'a new table', sql: 'create table a (id int);\ndelete from a;', finds: [] },
  { title: 'in a with', sql: 'with gone as (delete from orders returning *) select count(*) from gone;', finds: [all('delete')] },
  { title: 'in a block', sql: `do $$ begin update orders set note = 'x'; end $$;`, finds: [all('update')] },
]);

const locked = (mode: string, waits: string) => `lock table locks "orders" in ${mode} mode: ${waits} until the transaction ends`;

describeRule('explicit-lock', [
  { title: 'without a mode', sql: 'lock orders;', finds: [locked('ACCESS EXCLUSIVE', 'every read and write of it waits')] },
  { title: 'exclusive', sql: 'lock table orders, countries in exclusive mode;', finds: [locked('EXCLUSIVE', 'every write to it waits')] },
  { title: 'a mode that lets writes through', sql: 'lock table orders in share update exclusive mode;', finds: [] },
  { title: 'a new table', sql: 'create table a (id int);\nlock a;', finds: [] },
]);

const endless = (table: string) =>
  `alter table locks "${table}" in ACCESS EXCLUSIVE mode with lock_timeout 0: while it waits behind a long read, all that comes later waits behind it`;

describeRule('missing-lock-timeout', [
  {
    title: 'once a transaction',
    sql: `set lock_timeout = '0';\nalter table orders add column x int;\nalter table orders add column y int;`,
    finds: [endless('orders')],
  },
  { title: 'a small table', sql: `set lock_timeout to '0s';\nalter table countries add column x int;`, finds: [endless('countries')] },
  {
    title: 'by set_config',
    sql: `select set_config('lock_timeout', '0', true);\nalter table orders add column x int;`,
    finds: [endless('orders')],
  },
  {
    title: 'outside of a transaction',
    sql: `${outside}set lock_timeout = 0;\nalter table orders add column x int;`,
    finds: [endless('orders')],
  },
  { title: 'another timeout', sql: `set lock_timeout = '1s';\nalter table orders add column x int;`, finds: [] },
  { title: 'turned on again', sql: `set lock_timeout = 0;\nset lock_timeout = '1s';\nalter table orders add column x int;`, finds: [] },
  { title: 'turned off after the lock', sql: `alter table orders add column x int;\nset lock_timeout = 0;`, finds: [] },
  { title: 'a new table', sql: `set lock_timeout = 0;\ncreate table a (id int);\nalter table a add column x int;`, finds: [] },
]);

const unsafe = (type = 'mood') =>
  `it uses 'bad', which the transaction has added to the type "${type}": before the commit that fails with 55P04`;
const mood = `create type mood as enum ('good'); alter table customers add column mood mood;`;
const addBad = `alter type mood add value 'bad';\n`;

describeRule('enum-value-used-in-same-tx', [
  { title: 'as a default', given: mood, sql: `${addBad}alter table customers alter column mood set default 'bad';`, finds: [unsafe()] },
  { title: 'of a new column', given: mood, sql: `${addBad}alter table orders add column m mood default 'bad';`, finds: [unsafe()] },
  { title: 'in a condition', given: mood, sql: `${addBad}create index on customers (id) where mood = 'bad';`, finds: [unsafe()] },
  { title: 'in a cast', given: mood, sql: `${addBad}select 'bad'::mood;`, finds: [unsafe()] },
  {
    title: 'of an array',
    given: `${mood} alter table orders add column moods mood[];`,
    sql: `${addBad}update orders set moods = array['bad']::mood[] where id = 1;`,
    finds: [unsafe()],
  },
  { title: 'in a block', given: mood, sql: `${addBad}do $$ begin update customers set mood = 'bad'; end $$;`, finds: [unsafe()] },
  {
    title: 'in the block that adds it',
    given: mood,
    sql: `do $$ begin alter type mood add value 'bad'; update customers set mood = 'bad'; end $$;`,
    finds: [unsafe()],
  },
  { title: 'in the block that only adds it', given: mood, sql: `do $$ begin alter type mood add value 'bad'; end $$;`, finds: [] },
  { title: 'a text that is spelled alike', given: mood, sql: `${addBad}update orders set note = 'bad' where id = 1;`, finds: [] },
  { title: 'the next value comes after it', given: mood, sql: `${addBad}alter type mood add value 'worse' after 'bad';`, finds: [] },
  { title: 'another value', given: mood, sql: `${addBad}update customers set mood = 'good';`, finds: [] },
  { title: 'outside of a transaction', given: mood, sql: `${outside}${addBad}update customers set mood = 'bad';`, finds: [] },
  {
    title: 'of a new type: from PostgreSQL 17 on it may',
    sql: `create type mood as enum ();\n${addBad}create table a (m mood default 'bad');`,
    finds: major >= 17 ? [] : [unsafe()],
  },
  {
    title: 'a value that a new type has from the start',
    sql: `create type mood as enum ('bad');\ncreate table a (m mood default 'bad');`,
    finds: [],
  },
  { title: 'without a database', sql: `${addBad}update customers set mood = 'bad';`, blind: true, finds: [unsafe()] },
]);

const apart = (how: string) =>
  `${how} in a migration that runs in a transaction: what it changes and its row in the history no longer commit together`;

describeRule('nested-transaction', [
  { title: 'begin and commit', sql: 'begin;\nselect 1;\ncommit;', finds: [apart('begin'), apart('commit')] },
  {
    title: 'start transaction, abort, end',
    sql: 'start transaction;\nabort;\nend;',
    finds: [apart('begin'), apart('rollback'), apart('commit')],
  },
  { title: 'savepoints', sql: 'savepoint a;\nrollback to savepoint a;\nrelease savepoint a;', finds: [] },
  { title: 'outside of a transaction', sql: `${outside}begin;\ncommit;`, finds: [] },
  {
    title: 'in a block',
    sql: 'do $$ begin commit; end $$;',
    finds: ['commit in a block of code fails with 2D000: the migration runs in a transaction'],
  },
  { title: 'in a block, outside of a transaction', sql: `${outside}do $$ begin commit; end $$;`, finds: [] },
]);
