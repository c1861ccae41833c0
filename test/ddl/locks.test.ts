import type { Knex } from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  addCheck,
  addColumnWithVolatileDefault,
  addForeignKey,
  addIndexConcurrently,
  dropIndexConcurrently,
  setNotNull,
} from '../../src/index.js';
import { poll } from '../support/boot.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { changesOf, knexOf, type Body } from './fixture.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await database.query(`create table customers (id int primary key);
    create table orders (id int primary key, customer int, total int);
    insert into customers values (1); insert into orders select n, 1, n from generate_series(1, 100) n;
    create table events (id int, at int) partition by range (at); create table events_1 partition of events for values from (0) to (10)`);
});

/** What a statement holds on the tables when it is done, and what it did under that. */
interface Harm {
  readonly locks: Record<string, string>;
  readonly read: string[];
  readonly rewritten: string[];
}

const lookSql = `select c.relname as name, pg_relation_filenode(c.oid) as file, pg_stat_get_xact_numscans(c.oid)::int as scans,
    (select string_agg(mode, ' ' order by mode) from pg_locks l where pid = pg_backend_pid() and l.relation = c.oid and mode <> 'AccessShareLock') as lock
  from pg_class c where relname in ('customers', 'orders', 'events', 'events_1') order by 1`;

// In a transaction of its own, which shows what the statement had locked; it is committed, since the next one builds on it.
async function harmOf(statement: string): Promise<Harm> {
  const client = await database.connect();
  const look = async () => (await client.query<Record<'name' | 'lock', string> & Record<'file' | 'scans', number>>(lookSql)).rows;
  await client.query('begin');
  const before = await look();
  await client.query(statement);
  const after = await look();
  await client.query('commit');
  await client.end();
  const changed = (field: 'file' | 'scans') => after.filter((row, index) => row[field] !== before[index]?.[field]).map(({ name }) => name);
  return {
    locks: Object.fromEntries(after.filter(({ lock }) => lock).map(({ name, lock }) => [name, lock])),
    read: changed('scans'),
    rewritten: changed('file'),
  };
}

/** The statements of a call, made on a copy: each is then run by itself on the tables. */
async function statementsOf(body: Body): Promise<string[]> {
  const knex = knexOf(database);
  const sent: string[] = [];
  const recording = Object.create(knex, {
    raw: {
      value: async (sql: string, values: never) => {
        if (!sql.includes('resumable')) return (await knex.raw(sql, values)) as unknown;
        sent.push(sql.replaceAll('\\?', '?'));
        return undefined;
      },
    },
  }) as Knex;
  await body(recording);
  return sent;
}

const ax = 'AccessExclusiveLock';
const sue = 'ShareUpdateExclusiveLock';

describe('the lock that the docs claim is the lock that is taken, and nothing is read or rewritten under a strong one:', () => {
  test.each<[string, Body, Partial<Harm>[]]>([
    [
      'addForeignKey',
      async (knex) =>
        await addForeignKey(knex, {
          table: 'orders',
          name: 'fkey',
          columns: ['customer'],
          references: { table: 'customers', columns: ['id'] },
        }),
      [
        { locks: { orders: 'ShareRowExclusiveLock', customers: 'ShareRowExclusiveLock' }, read: [] },
        { locks: { orders: sue, customers: 'RowShareLock' }, read: ['customers', 'orders'] },
      ],
    ],
    [
      'addCheck',
      async (knex) => await addCheck(knex, { table: 'orders', name: 'checked', expression: 'total > 0' }),
      [
        { locks: { orders: ax }, read: [] },
        { locks: { orders: sue }, read: ['orders'] },
      ],
    ],
    [
      'setNotNull',
      async (knex) => await setNotNull(knex, { table: 'orders', column: 'customer' }),
      [
        { locks: { orders: ax }, read: [] },
        { locks: { orders: sue }, read: ['orders'] },
        { locks: { orders: ax }, read: [] },
        { locks: { orders: ax }, read: [] },
      ],
    ],
    [
      'addIndexConcurrently on a partitioned table',
      async (knex) => await addIndexConcurrently(knex, { table: 'events', name: 'events_idx', columns: ['id'] }),
      [{ locks: { events: 'ShareLock' }, read: [] }, {}, { locks: {}, read: [] }],
    ],
  ])('%s', async (_name, body, expected) => {
    const statements = await statementsOf(body);
    expect(statements).toHaveLength(expected.length);
    for (const [index, statement] of statements.entries()) {
      if (statement.includes('concurrently')) await database.query(statement);
      else expect({ statement, ...(await harmOf(statement)) }).toEqual({ statement, rewritten: [], ...expected[index] });
    }
  });

  test('addColumnWithVolatileDefault, whose rows are locked a batch at a time', async () => {
    const knex = knexOf(database);
    const options = { table: 'orders', column: 'token', type: 'uuid', default: 'gen_random_uuid()', batchSize: 10 };
    const [add = ''] = await statementsOf(async (each) => await addColumnWithVolatileDefault(each, options));
    expect(await harmOf(add)).toEqual({ locks: { orders: ax }, read: [], rewritten: [] });
    const writer = await database.connect();
    await writer.query('begin; update orders set total = 7 where id = 55');
    const filled = changesOf(knex, async () => await addColumnWithVolatileDefault(knex, options));
    const waiting = await poll(async () => {
      const rows = await database.query(
        `select l.mode from pg_locks l join pg_stat_activity a using (pid) where a.query like 'do %' and a.wait_event_type = 'Lock' and l.relation = 'orders'::regclass
         and l.mode not in ('AccessShareLock', 'ExclusiveLock')`,
      );
      return rows.length > 0 ? rows : undefined;
    });
    expect(waiting).toEqual([{ mode: 'RowExclusiveLock' }]);
    await database.query('update orders set total = 1 where id not between 51 and 60'); // nobody else waits
    await writer.query('commit');
    expect(await filled).toHaveLength(1);
  });

  test('dropIndexConcurrently, which waits for a reader that nobody else waits for', async () => {
    const knex = knexOf(database);
    await database.query('create index dropped on orders (total)');
    const reader = await database.connect();
    await reader.query('begin; select from orders');
    const dropped = changesOf(knex, async () => await dropIndexConcurrently(knex, { table: 'orders', name: 'dropped' }));
    const held = await poll(async () => {
      const rows = await database.query(
        `select l.mode from pg_locks l join pg_stat_activity a using (pid)
         where a.query like 'drop index%' and a.wait_event_type = 'Lock' and l.relation = 'orders'::regclass and l.granted`,
      );
      return rows.length > 0 ? rows : undefined;
    });
    expect(held).toEqual([{ mode: sue }]);
    await database.query('update orders set total = total');
    await reader.query('commit');
    expect(await dropped).toHaveLength(1);
  });
});
