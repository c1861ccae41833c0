import type { Knex } from 'knex';
import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { readSchema } from '../../src/schema/index.js';
import type { Reset, TestDatabase } from '../../src/testing/index.js';
import { queryBy } from '../schema/fixture.js';
import { major } from '../support/majors.js';
import { startHarness, startServer } from './fixture.js';

interface Damage {
  readonly title: string;
  readonly how: Reset;
  readonly sql?: string | readonly string[];
  readonly run?: (db: TestDatabase) => Promise<unknown>;
}

const rows = (title: string, sql: string | readonly string[]): Damage => ({ title, how: 'mended', sql });
const shape = (title: string, sql: string | readonly string[]): Damage => ({ title, how: 'renewed', sql });
const open = (title: string, how: Reset, run: (db: TestDatabase) => Promise<unknown>): Damage => ({ title, how, run });
const ada = `insert into people (name) values ('Ada')`;
const here = '$db$';

const damages: readonly Damage[] = [
  rows('rows in an empty table', [ada, `insert into notes (person, text) select id, 'x' from people`]),
  rows('rows that a trigger guards', [ada, `insert into notes (person, text) select id, 'guarded' from people`]),
  rows('a sequence that a rolled back transaction has used', ['begin', ada, 'rollback']),
  rows('a sequence that was set', `select setval('notes_id_seq', 1000, false)`),
  rows('a reference row that was changed', `update countries set name = 'Deutschland', facts = null where code = 'de'`),
  rows(
    'two reference rows that have changed places',
    `update countries a set (name, facts, flag) = (select name, facts, flag from countries b where b.code = case a.code when 'de' then 'it' else 'de' end) where code in ('de', 'it')`,
  ),
  rows('a reference row that was deleted, and one more', [
    `delete from countries where code = 'jp'`,
    `insert into countries values ('fr', 'France')`,
  ]),
  rows('a bytea that lost a byte', String.raw`update countries set flag = '\x00' where code = 'de'`),
  rows('truncate', 'truncate countries'),
  rows('truncate cascade, with sequences', [ada, `insert into notes (person) select id from people`, 'truncate people, countries cascade']),
  rows('a materialized view that was refreshed', [
    `insert into countries values ('fr', 'France')`,
    'refresh materialized view country_names',
  ]),
  rows('the history of the migrations', `delete from knex_migrations`),
  rows('rows, and a vacuum freeze', [ada, 'vacuum (freeze, analyze)']),
  { title: 'a vacuum freeze alone', how: 'untouched', sql: 'vacuum (freeze, analyze)' },
  { title: 'an update to what a row was', how: 'untouched', sql: 'update countries set name = name' },
  { title: 'a table that was made and dropped', how: 'untouched', sql: ['create table brief (id serial primary key)', 'drop table brief'] },
  { title: 'a transaction with DDL that was rolled back', how: 'untouched', sql: ['begin', 'drop table notes', 'rollback'] },
  shape('a new table', 'create table more (id int)'),
  shape('a dropped table', 'drop table notes'),
  shape('a table that was made anew', ['drop table notes', 'create table notes (id serial primary key, person bigint, text text)']),
  shape('a new column', 'alter table people add column age int'),
  shape('another type', 'alter table notes alter column person type int'),
  shape('another default', `alter table notes alter column text set default 'none'`),
  shape('a new index', 'create index on people (initial)'),
  shape('a dropped constraint', 'alter table people drop constraint people_name_key'),
  shape('a new constraint', `alter table notes add check (text <> '')`),
  shape('a view that says something else', 'create or replace view named as select upper(name) as name from people'),
  shape(
    'a function that says something else',
    `create or replace function hello(name text) returns text language sql as $$ select 'bye' $$`,
  ),
  shape('a disabled trigger', 'alter table notes disable trigger guarded'),
  shape('a value more in an enum', `alter type mood add value 'sad'`),
  shape('a new schema', 'create schema other'),
  shape('an altered sequence', 'alter sequence notes_id_seq increment by 10'),
  shape('an unpopulated materialized view', 'refresh materialized view country_names with no data'),
  shape('row security and a policy', ['alter table people enable row level security', 'create policy mine on people using (true)']),
  shape('a grant', 'grant select on people to public'),
  shape('a revoked right on a system function', 'revoke execute on function pg_catalog.pg_sleep(double precision) from public'),
  shape('default privileges', 'alter default privileges grant select on tables to public'),
  shape('a comment', `comment on column people.name is 'who'`),
  shape('an extended statistics object', 'create statistics people_stats on name, initial from people'),
  shape('a partition', [
    'create table parts (id int) partition by range (id)',
    'create table parts_1 partition of parts for values from (0) to (9)',
  ]),
  shape('a large object', `select lo_from_bytea(0, 'x')`),
  shape('a setting by ALTER DATABASE', `alter database ${here} set work_mem to '1MB'`),
  shape('a right on the database', `revoke connect on database ${here} from public`),
  shape('a limit of connections', `alter database ${here} connection limit 0`),
  shape('a database that is read only', `alter database ${here} set default_transaction_read_only to on`),
  shape('a database that is a template', `alter database ${here} is_template true`),
  shape('a subscription', `create subscription told connection 'host=nowhere.invalid' publication nothing with (connect = false)`),
  open('a database that accepts no connections', 'renewed', async ({ url, name }) => {
    await ask(url.replace(/[^/]*$/, 'postgres'), `alter database "${name}" allow_connections false`);
  }),
  open('a database that was dropped', 'renewed', async ({ url, name }) => {
    await ask(url.replace(/[^/]*$/, 'postgres'), `drop database "${name}" with (force)`);
  }),
  open('an open transaction that holds a table', 'mended', async ({ pool }) => {
    const client = await pool.connect();
    await client.query('begin; lock table people in access exclusive mode');
    await pool.query(`insert into countries values ('fr', 'France')`);
  }),
  open('a query that never ends', 'untouched', async ({ url }) => {
    const client = await connect(url);
    client.query('select pg_sleep(600)').catch(() => undefined);
    await expect.poll(async () => (await sessions(url)).map(({ state }) => state)).toContain('active');
  }),
  open('an advisory lock in an idle session', 'untouched', async ({ url }) => {
    await (await connect(url)).query('select pg_advisory_lock(7)');
  }),
  open('a prepared transaction', 'mended', async ({ pool, name }) => {
    await pool.query(`begin; ${ada}; prepare transaction '${name}'`);
  }),
  open('sessions that were ended, those of the harness among them', 'renewed', async ({ pool }) => {
    await pool.query(
      'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
  }),
  open('a setting, a role, LISTEN and a temporary table in a pooled session', 'untouched', async ({ pool }) => {
    await pool.query(`set search_path to nowhere; set role pg_monitor; listen something; create temporary table t ()`);
  }),
  open('the same by way of knex', 'untouched', async ({ knex }) => {
    await knex.raw(`set search_path to nowhere; set role pg_monitor; listen something; create temporary table t ()`);
  }),
];

describe.each(process.env['POSTGRES_MAJOR'] === undefined ? [15, 18] : [major])('on PostgreSQL %i', (on) => {
  let db: TestDatabase;
  let fresh: unknown;
  beforeAll(async () => {
    const { harness } = await startHarness({ major: on, onLeak: 'end' });
    db = await harness.acquire();
    fresh = await contentsOf(db.url);
  });

  test.each(damages)('reset() undoes $title', async ({ how, sql, run }) => {
    await run?.(db);
    if (sql !== undefined) {
      const client = await connect(db.url);
      for (const statement of [sql].flat()) await client.query(statement.replaceAll(here, `"${db.name}"`));
      await client.end();
    }
    expect(await db.reset()).toBe(how);
    expect(await contentsOf(db.url)).toEqual(fresh);
    expect((await sessions(db.url)).filter(({ state }) => state !== 'idle')).toEqual([]);
    expect((await db.pool.query(`select count(*)::int as count from countries`)).rows).toEqual([{ count: 3 }]);
    expect(await db.knex('people').select()).toEqual([]);
    for (const query of ['select pg_listening_channels()', `select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`]) {
      expect((await db.pool.query(query)).rows).toEqual([]);
      expect(await db.knex.raw(query)).toMatchObject({ rows: [] });
    }
    expect(await db.reset()).toBe('untouched');
  });
});

test('what a test leaves open is told in a warning', async () => {
  const { harness } = await startHarness();
  const db = await harness.acquire();
  await (await db.pool.connect()).query(`begin; ${ada}`);
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  expect(await db.reset()).toBe('mended');
  expect(await warned).toMatchObject({ name: 'TestLeak' });
});

test('what a test leaves open is an error where that is wished, with its last query', async () => {
  const { harness } = await startHarness({ onLeak: 'error' });
  const db = await harness.acquire();
  const client = await db.pool.connect();
  await client.query(`begin; ${ada}`);
  const reset = db.reset();
  await expect(reset).rejects.toMatchObject({ code: 'EM_TEST_LEAK' });
  await expect(reset).rejects.toThrow(ada);
  expect(await db.reset()).toBe('untouched');
  expect((await db.pool.query('select from people')).rowCount).toBe(0);
});

test('a trigger that fires for replicas too keeps rows from being put back: the database is made anew', async () => {
  const { harness } = await startHarness({
    seed: async (knex) => void (await knex.raw('alter table notes enable always trigger guarded')),
  });
  const db = await harness.acquire();
  await db.pool.query(ada);
  expect(await db.reset()).toBe('renewed');
  expect((await db.pool.query('select from people')).rowCount).toBe(0);
});

test('reference rows that are too many to hold are looked at, and bring a new copy when they were changed', async () => {
  const seed = async (knex: Knex) =>
    void (await knex.raw(`insert into people (name) select repeat('x', 200) || n from generate_series(1, 25000) n`));
  const { harness } = await startHarness({ seed });
  const db = await harness.acquire();
  await db.pool.query(`insert into countries values ('fr', 'France')`);
  expect(await db.reset()).toBe('mended');
  await db.pool.query('delete from people where id = 7');
  expect(await db.reset()).toBe('renewed');
  expect((await db.pool.query('select count(*)::int as count from people')).rows).toEqual([{ count: 25_000 }]);
});

test('partitions, quoted names, and rows beside columns that are gone are put back', async () => {
  const seed = async (knex: Knex) =>
    void (await knex.raw(`create schema "My ""own"""; create table "My ""own"""."Odd name" (gone int, "a b" text, em_row int[], primary key ("a b"));
      insert into "My ""own"""."Odd name" values (1, 'it''s \\ {"x"}', '{1,null}'); alter table "My ""own"""."Odd name" drop column gone;
      create table parts (id int, name text) partition by range (id); create table parts_1 partition of parts for values from (0) to (9);
      create table parts_2 partition of parts for values from (9) to (99); insert into parts values (1, 'one'), (20, null)`));
  const { harness } = await startHarness({ seed });
  const db = await harness.acquire();
  const rows = async () =>
    (await db.pool.query(`select (select array_agg(o::text) from "My ""own"""."Odd name" o), (select array_agg(p::text) from parts p)`))
      .rows as unknown[];
  const fresh = await rows();
  await db.pool.query(
    `update "My ""own"""."Odd name" set "a b" = 'y', em_row = null; update parts set id = 21 - id; insert into parts values (5, 'x')`,
  );
  expect(await db.reset()).toBe('mended');
  expect(await rows()).toEqual(fresh);
});

test('a slot of logical decoding is dropped', async () => {
  const server = await startServer({ settings: { wal_level: 'logical' } });
  const { harness } = await startHarness({ url: server.url });
  const db = await harness.acquire();
  await db.pool.query(`select pg_create_logical_replication_slot('told', 'pgoutput')`);
  expect(await db.reset()).toBe('renewed');
  expect((await db.pool.query('select from pg_replication_slots')).rowCount).toBe(0);
});

test('many rows leave no bloat behind', async () => {
  const { harness } = await startHarness();
  const db = await harness.acquire();
  await db.pool.query(`insert into people (name) select repeat('x', 200) || n from generate_series(1, 20000) n`);
  expect(await db.reset()).toBe('mended');
  expect((await db.pool.query(`select pg_relation_size('people')::int as size`)).rows).toEqual([{ size: 0 }]);
});

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // it is ended by the reset
  await client.connect();
  return client;
}

async function sessions(url: string): Promise<{ state: string }[]> {
  return await ask(
    url,
    `select state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
     and application_name <> 'ensure-migrated/testing'`,
  );
}

/** All that is in a database, asked in other ways than those of the harness. */
async function contentsOf(url: string): Promise<unknown> {
  const client = await connect(url);
  try {
    const query = queryBy(client);
    const { lines } = await readSchema(query);
    const tables = (await query(`select relname as name from pg_class where relkind in ('r', 'm') and relnamespace = 'public'::regnamespace
      and relispopulated order by 1`)) as { name: string }[];
    const contents: Record<string, unknown> = {};
    for (const { name } of tables) contents[name] = await query(`select t::text from ${name} t order by 1`);
    return {
      lines,
      contents,
      sequences: await query(`select n.*, s.name from (values ('notes_id_seq'), ('people_id_seq')) s (name), lateral
        (select last_value, is_called from notes_id_seq where s.name = 'notes_id_seq' union all
         select last_value, is_called from people_id_seq where s.name = 'people_id_seq') n order by name`),
      rest: await query(`select datacl::text, datconnlimit, datallowconn, (select array_agg(setconfig::text) from pg_db_role_setting where setdatabase = d.oid) as settings,
        (select count(*) from pg_largeobject_metadata) as objects, (select count(*) from pg_prepared_xacts where database = datname) as prepared,
        has_function_privilege('pg_monitor', 'pg_sleep(double precision)', 'execute') as sleep,
        (select count(*) from pg_statistic_ext) as statistics, (select relnatts from pg_class where relname = 'people') as width
        from pg_database d where datname = current_database()`),
    };
  } finally {
    await client.end();
  }
}

async function ask(url: string, sql: string): Promise<{ state: string }[]> {
  const client = await connect(url);
  try {
    return (await client.query<{ state: string }>(sql)).rows;
  } finally {
    await client.end();
  }
}
