import type { Knex } from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import { addIndexConcurrently, dropIndexConcurrently, type AddIndexOptions } from '../../src/index.js';
import { poll, waitUntilRuns } from '../support/boot.js';
import { major } from '../support/majors.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { bootWith, changesOf, knexOf, shapeOf } from './fixture.js';

let database: TestDatabase;
let knex: Knex;
beforeAll(async () => {
  database = await createDatabase();
  knex = knexOf(database);
});

let tables = 0;
/** A table of the test's own. */
async function makeTable(
  columns = 'id int primary key, customer text, total numeric(10, 2), tags jsonb, created_at timestamptz',
): Promise<string> {
  const name = `Orders ${++tables}`;
  await database.query(`create table "${name}" (${columns})`);
  return name;
}

const add = async (options: AddIndexOptions) => await changesOf(knex, async () => await addIndexConcurrently(knex, options));

/** Leaves an index invalid, as a build that failed does: two rows are alike. */
async function leaveInvalid(table: string, name: string): Promise<void> {
  await database.query(`insert into "${table}" (id, customer) values (1, 'a'), (2, 'a')`);
  await expect(database.query(`create unique index concurrently "${name}" on "${table}" (customer)`)).rejects.toMatchObject({
    code: '23505',
  });
  await database.query(`delete from "${table}" where id = 2`);
}

describe('addIndexConcurrently', () => {
  test('builds an index of every form that it knows, and finds it again whatever the server made of the words', async () => {
    const forms: Partial<AddIndexOptions>[] = [
      { columns: ['customer'] },
      { columns: ['customer', { column: 'created_at', order: 'desc' }], unique: true, include: ['total', 'tags'] },
      { columns: [{ expression: `lower(customer) -- by name` }], where: `customer in ('why?', 'b') and total between 1 and 2` },
      { columns: [{ column: 'tags', opclass: 'jsonb_path_ops' }], using: 'gin', where: `tags ? 'paid'` },
      ...(major >= 15 ? [{ columns: ['customer'], unique: true, nullsNotDistinct: true }] : []),
    ];
    const table = await makeTable();
    for (const [index, form] of forms.entries()) {
      const options = { table: { schema: 'public', table }, name: `Idx ${index}`, columns: [], ...form };
      const [statement, ...others] = await add(options);
      expect(statement).toMatch(/^create( unique)? index concurrently "Idx \d" on "public"."Orders 1"/);
      expect([others, await add(options)]).toEqual([[], []]);
    }
    const { indexes } = await shapeOf(database, `"${table}"`);
    expect(indexes).toHaveLength(forms.length);
    expect(indexes.map(({ definition }) => String(definition).replace(/.* USING /, ''))).toEqual([
      'btree (customer)',
      'btree (customer, created_at DESC) INCLUDE (total, tags)',
      `btree (lower(customer)) WHERE ((customer = ANY (ARRAY['why?'::text, 'b'::text])) AND ((total >= (1)::numeric) AND (total <= (2)::numeric)))`,
      `gin (tags jsonb_path_ops) WHERE (tags ? 'paid'::text)`,
      ...(major >= 15 ? ['btree (customer) NULLS NOT DISTINCT'] : []),
    ]);
  });

  test('refuses a valid index of that name that is another one, in each respect, and changes nothing', async () => {
    const table = await makeTable();
    await database.query(`create index taken on "${table}" (customer, total) include (tags) where total > 0`);
    const same: AddIndexOptions = { table, name: 'taken', columns: ['customer', 'total'], include: ['tags'], where: 'total > 0' };
    expect(await add(same)).toEqual([]);
    const before = await shapeOf(database, `"${table}"`);
    const { where: _, ...everywhere } = same;
    const others: AddIndexOptions[] = [
      everywhere,
      { ...same, where: 'total > 1' },
      { ...same, unique: true },
      { ...same, columns: ['total', 'customer'] },
      { ...same, columns: ['customer'], include: ['total', 'tags'] },
      { ...same, include: ['created_at'] },
      { ...same, columns: ['customer', { column: 'total', order: 'desc' }] },
      { ...same, columns: [{ column: 'customer', opclass: 'text_pattern_ops' }, 'total'] },
      { ...same, columns: [{ expression: 'lower(customer)' }, 'total'] },
      { ...same, table: await makeTable() },
    ];
    for (const other of others) {
      await expect(add(other), JSON.stringify(other)).rejects.toMatchObject({
        code: 'EM_DDL_REFUSED',
        message: expect.stringMatching(
          /^addIndexConcurrently: there is another index public\.taken already: CREATE INDEX taken ON public/,
        ) as string,
      });
    }
    await database.query(`create index "nulls first" on "${table}" (customer nulls first)`);
    await expect(add({ table, name: 'nulls first', columns: ['customer'] })).rejects.toMatchObject({ code: 'EM_DDL_REFUSED' });
    await database.query('drop index "nulls first"');
    expect(await shapeOf(database, `"${table}"`)).toEqual(before);
  });

  test('drops what a failed build has left invalid, and builds anew', async () => {
    const table = await makeTable();
    await leaveInvalid(table, 'left behind');
    expect(await add({ table, name: 'left behind', columns: ['customer'], unique: true })).toEqual([
      'drop index concurrently "public"."left behind"',
      `create unique index concurrently "left behind" on "${table}" ("customer")`,
    ]);
    expect((await shapeOf(database, `"${table}"`)).indexes).toMatchObject([{ name: 'left behind', valid: true }]);
  });

  test('leaves alone what another role is building at this moment', async () => {
    const table = await makeTable();
    const role = await database.createRole();
    await database.query(`alter table "${table}" owner to "${role.name}"`);
    const owner = knexOf(role);
    const [writer, builder] = [await database.connect(), await database.connect()];
    await writer.query(`begin; insert into "${table}" (id) values (1)`);
    const built = builder.query(`create index concurrently "in the making" on "${table}" (customer)`);
    await poll(async () => ((await shapeOf(database, `"${table}"`)).indexes.length > 0 ? true : undefined));
    await expect(addIndexConcurrently(owner, { table, name: 'in the making', columns: ['customer'] })).rejects.toMatchObject({
      code: 'EM_BLOCKED',
      retryable: true,
      message: expect.stringMatching(/"?in the making"? is not valid, and pid \d+ builds an index on its table/) as string,
    });
    await writer.query('commit');
    await built;
    expect(await add({ table, name: 'in the making', columns: ['customer'] })).toEqual([]);
  });

  test('of a table that is not there fails with what the server says', async () => {
    await expect(add({ table: 'nowhere', name: 'x', columns: ['y'] })).rejects.toMatchObject({ code: '42P01' });
  });

  test('waits for a writer without blocking others, and is not taken back while it waits', async () => {
    const other = await createDatabase();
    await other.query('create table orders (id int primary key, customer text)');
    const writer = await other.connect();
    await writer.query('begin; insert into orders values (1)');
    const booted = bootWith(
      other,
      async (knex) => await addIndexConcurrently(knex, { table: 'orders', name: 'orders_idx', columns: ['customer'] }),
    );
    const { pid } = await waitUntilRuns(other, 'create index concurrently');
    await poll(async () =>
      (await other.query('select from pg_locks where pid = $1 and not granted', [pid])).length > 0 ? true : undefined,
    );
    const locks = await other.query(`select mode from pg_locks where pid = $1 and relation = 'orders'::regclass and granted`, [pid]);
    expect(locks).toEqual([{ mode: 'ShareUpdateExclusiveLock' }]);
    await other.query('insert into orders values (2)');
    await writer.query('commit');
    await expect(booted).resolves.toMatchObject({ applied: [{ tries: 1 }] });
    expect((await shapeOf(other, 'orders')).indexes).toMatchObject([{ name: 'orders_idx', valid: true }]);
  });
});

describe('addIndexConcurrently on a partitioned table', () => {
  const long = 'events_of_a_partition_whose_name_is_nearly_as_long_as_one_may_be';
  async function makePartitioned(): Promise<TestDatabase> {
    const other = await createDatabase();
    await other.query(`create schema other; create table events (id int, kind text, at int) partition by range (at);
      create table events_1 partition of events for values from (0) to (10);
      create table events_2 partition of events for values from (10) to (20) partition by list (kind);
      create table other."${long.slice(0, 63)}" partition of events_2 for values in ('a');
      create table events_2_b partition of events_2 for values in ('b');
      insert into events values (1, 'a', 1), (2, 'a', 12), (3, 'b', 13)`);
    return other;
  }
  const index: AddIndexOptions = { table: 'events', name: 'events_kind_idx', columns: ['kind'], where: 'id > 0' };

  test('builds one on each partition, those of partitions too, and attaches them until the whole is valid', async () => {
    const other = await makePartitioned();
    const knex = knexOf(other);
    const run = async () => await changesOf(knex, async () => await addIndexConcurrently(knex, index));
    const sent = await run();
    const short = [...sent.join('\n').matchAll(/"(events_kind_idx_events_of_a_partition\w+)"/g)][0]?.[1] ?? '';
    expect(Buffer.byteLength(short)).toBe(63);
    expect(sent).toEqual(
      [
        'create index "events_kind_idx" on only "events" ("kind") where (id > 0)',
        'create index concurrently "events_kind_idx_events_1" on "public"."events_1" ("kind") where (id > 0)',
        'alter index "public"."events_kind_idx" attach partition "public"."events_kind_idx_events_1"',
        'create index "events_kind_idx_events_2" on only "public"."events_2" ("kind") where (id > 0)',
        `create index concurrently "${short}" on "other"."${long.slice(0, 63)}" ("kind") where (id > 0)`,
        `alter index "public"."events_kind_idx_events_2" attach partition "other"."${short}"`,
        'create index concurrently "events_kind_idx_events_2_b" on "public"."events_2_b" ("kind") where (id > 0)',
        'alter index "public"."events_kind_idx_events_2" attach partition "public"."events_kind_idx_events_2_b"',
        'alter index "public"."events_kind_idx" attach partition "public"."events_kind_idx_events_2"',
      ].map((each) => each),
    );
    expect(await other.query('select indexrelid::regclass::text from pg_index where not indisvalid')).toEqual([]);
    expect(await run()).toEqual([]);
    await expect(addIndexConcurrently(knex, { ...index, where: 'id > 1' })).rejects.toMatchObject({ code: 'EM_DDL_REFUSED' });
    await expect(dropIndexConcurrently(knex, index)).rejects.toMatchObject({ code: 'EM_DDL_INVALID' });
    await expect(dropIndexConcurrently(knex, { table: 'events', name: index.name })).rejects.toMatchObject({
      code: 'EM_DDL_REFUSED',
      remedy: expect.stringContaining('drop index "public"."events_kind_idx"') as string,
    });
  });

  test('goes on from every statement before which a run died', async () => {
    const whole = await makePartitioned();
    const all = await changesOf(knexOf(whole), async () => await addIndexConcurrently(knexOf(whole), index));
    const other = await makePartitioned();
    const knex = knexOf(other);
    for (let count = 0; count < all.length; count++) {
      const refusing = refusingAfterFirstChange(knex);
      await expect(addIndexConcurrently(refusing, index)).rejects.toThrow('died');
    }
    await addIndexConcurrently(knex, index);
    expect(await other.query('select indexrelid::regclass::text from pg_index where not indisvalid')).toEqual([]);
    expect(await other.query('select count(*)::int from pg_index where indrelid::regclass::text like $1', ['%events%'])).toEqual(
      await whole.query('select count(*)::int from pg_index where indrelid::regclass::text like $1', ['%events%']),
    );
  });
});

/** A knex with which the first statement that changes something is the last one. */
function refusingAfterFirstChange(knex: Knex): Knex {
  const raw = async (sql: string, values: never) => {
    const result = (await knex.raw(sql, values)) as unknown;
    if (sql.includes('resumable')) throw new Error('died');
    return result;
  };
  return Object.create(knex, { raw: { value: raw } }) as Knex;
}

describe('dropIndexConcurrently', () => {
  test('drops an index, a valid one or not, and is content where it is gone', async () => {
    const table = await makeTable();
    await leaveInvalid(table, 'half');
    await database.query(`create index "whole" on "${table}" (total)`);
    const drop = async (name: string) => await changesOf(knex, async () => await dropIndexConcurrently(knex, { table, name }));
    expect(await drop('half')).toEqual(['drop index concurrently "public"."half"']);
    expect(await drop('whole')).toEqual(['drop index concurrently "public"."whole"']);
    expect(await drop('whole')).toEqual([]);
    expect((await shapeOf(database, `"${table}"`)).indexes).toEqual([]);
  });

  test('refuses the index of another table', async () => {
    const [table, other] = [await makeTable(), await makeTable()];
    await database.query(`create index "of another" on "${other}" (total)`);
    await expect(dropIndexConcurrently(knex, { table, name: 'of another' })).rejects.toMatchObject({
      code: 'EM_DDL_REFUSED',
      message: expect.stringContaining(`the index public.of another is not one of "${table}"`) as string,
    });
    expect((await shapeOf(database, `"${other}"`)).indexes).toHaveLength(1);
  });
});
