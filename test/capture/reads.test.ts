import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { diffSchema, readSchema } from '../../src/schema/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { captureFrom, sqlOf } from './fixture.js';

const up = (body: string) => `export const up = async (knex) => { ${body} };`;

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await database.query('create table orders (id serial primary key, customer text)');
  await database.query(`insert into orders (customer) values ('a'), ('b')`);
  await database.query(
    `create function touch() returns int language plpgsql stable as $$ begin perform nextval('orders_id_seq'); return 1; end $$`,
  );
});

const lookAt = async () => ({
  schema: await readSchema((text) => database.query(text)),
  rows: await database.query('select o.*, s.last_value from orders o, orders_id_seq s order by id'),
});

describe('a capture with a database', () => {
  test('answers reads from it: a branch goes the way that it would go', async () => {
    const exact = await captureFrom(
      database,
      up(`const there = await knex.schema.hasTable('orders'); const none = await knex.schema.hasTable('none');
          const { rows } = await knex.raw('select count(*)::int as n from orders where customer > ?', ['']);
          await knex.raw('alter table orders add a' + rows[0].n + ' int'); if (there && !none) await knex.raw('create table none ()');`),
    );
    expect(exact).toMatchObject({ exactness: 'exact', reason: undefined });
    expect(sqlOf(exact).slice(3)).toEqual(['alter table orders add a2 int', 'create table none ()']);
    expect(exact.statements.map(({ effect }) => effect)).toEqual(['read', 'read', 'read', 'write', 'write']);
  });

  test('is approximate where it reads after what was only recorded', async () => {
    const capture = await captureFrom(
      database,
      up(`await knex.raw('create table fresh (x int)'); await knex('fresh').select('x'); await knex('orders').del();`),
    );
    expect(capture).toMatchObject({
      exactness: 'approximate',
      reason: 'it reads `select "x" from "fresh"`, which statements before it may change',
    });
    expect(sqlOf(capture).at(-1)).toBe('delete from "orders"');
    const has = await captureFrom(database, up(`await knex.raw('create table fresh (x int)'); await knex.schema.hasColumn('fresh', 'x');`));
    expect(has).toMatchObject({ exactness: 'approximate' });
    expect(await captureFrom(database, up(`await knex('orders').first();`), { after: 'changes' })).toMatchObject({
      exactness: 'approximate',
    });
  });

  test('gives it the errors of reads that would fail, and goes on behind them', async () => {
    const capture = await captureFrom(
      database,
      up(`await knex.raw('select * from nowhere').catch(() => undefined); await knex('orders').first(); await knex('orders').del();`),
      {
        transaction: false,
      },
    );
    expect(capture).toMatchObject({ exactness: 'exact' });
    expect(sqlOf(capture).at(-1)).toBe('delete from "orders"');
    expect(await captureFrom(database, up(`await knex.raw('select * from nowhere');`))).toMatchObject({
      exactness: 'opaque',
      reason: expect.stringContaining('relation "nowhere" does not exist') as string,
    });
  });

  test('reads where the migration’s own settings lead', async () => {
    await database.query('create schema other create table place (x int)');
    const capture = await captureFrom(database, up(`await knex.raw('set local search_path to other'); await knex('place').select('x');`));
    expect(capture).toMatchObject({ exactness: 'exact' });
  });

  test.each([
    [
      'inserts, updates and makes tables',
      `await knex.schema.createTable('t', (t) => t.increments()); await knex('orders').insert({ customer: 'c' }); await knex('orders').update({ customer: 'd' });`,
    ],
    [
      'calls nextval',
      `const { rows } = await knex.raw("select nextval('orders_id_seq')"); await knex('orders').insert({ id: rows[0]?.nextval ?? 9 });`,
    ],
    ['calls a function that says it only looks, and counts a sequence on', `await knex.raw('select touch()');`],
    ['changes in a WITH', `await knex.raw('with gone as (delete from orders returning *) select * from gone');`],
    ['selects into a table', `await knex.raw('select * into copied from orders');`],
    ['analyses an explain', `await knex.raw('explain analyze delete from orders');`],
    [
      'wants to write',
      `await knex.raw('set transaction read write'); await knex.raw('set session characteristics as transaction read write'); await knex.raw("select set_config('transaction_read_only', 'off', false)"); await knex('orders').first(); await knex('orders').del();`,
    ],
    ['commits', `await knex.raw('commit').catch(() => undefined); await knex('orders').del();`],
    ['sends more in the text of a read', `await knex.raw('select 1; delete from orders');`],
  ])('never writes: a migration that %s', async (_what, body) => {
    const before = await lookAt();
    await captureFrom(database, up(body));
    await captureFrom(database, up(body), { transaction: false });
    const after = await lookAt();
    expect(diffSchema(before.schema, after.schema)).toEqual([]);
    expect(after.rows).toEqual(before.rows);
  });

  test('takes no lock that stays, and sends nothing for a forgotten promise', async () => {
    const locks = `select count(*)::int as n from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
    const later = async () => {
      await delay(50);
      expect(await database.query(locks)).toEqual([{ n: 0 }]);
      const open = `select state, query from pg_stat_activity where application_name like 'ensure-migrated/%' and datname = current_database()`;
      expect(await database.query(open)).toEqual([{ state: 'idle', query: 'rollback' }]);
    };
    const body = `await knex.raw('select pg_advisory_lock(7)'); setTimeout(() => void knex('orders').first().then(() => undefined), 10); await knex('orders').first();`;
    await captureFrom(database, up(body), { later });
    await captureFrom(database, up(body), { later, transaction: false });
  });
});
