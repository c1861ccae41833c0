import type { Knex } from 'knex';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addCheck, addForeignKey, setNotNull, validateConstraint, type AddForeignKeyOptions } from '../../src/index.js';
import { major } from '../support/majors.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { changesOf, knexOf, shapeOf } from './fixture.js';

let database: TestDatabase;
let knex: Knex;
beforeAll(async () => {
  database = await createDatabase();
  knex = knexOf(database);
});
beforeEach(async () => {
  await database.query(`drop table if exists orders, customers, parted cascade`);
  await database.query(`create table customers (id int primary key, region int, unique (id, region));
    create table orders (id int primary key, customer int, region int, status text, total numeric(10, 2));
    insert into customers values (1, 1); insert into orders values (1, 1, 1, 'open', 5)`);
});

const changes = async (body: () => Promise<void>) => await changesOf(knex, body);
const constraintsOf = async (table = 'orders') => (await shapeOf(database, table)).constraints;
const refused = (message: RegExp) => ({ code: 'EM_DDL_REFUSED', message: expect.stringMatching(message) as string });

describe('addForeignKey', () => {
  const key: AddForeignKeyOptions = {
    table: 'orders',
    name: 'orders_customer_fkey',
    columns: ['customer', 'region'],
    references: { table: { schema: 'public', table: 'customers' }, columns: ['id', 'region'] },
    onDelete: 'set null',
    onUpdate: 'cascade',
    deferrable: 'initially deferred',
  };
  const add = async (options = key) => await changes(async () => await addForeignKey(knex, options));

  test('adds it without a look at the rows, then validates it; a second time it sends nothing', async () => {
    expect(await add()).toEqual([
      'alter table "orders" add constraint "orders_customer_fkey" foreign key ("customer", "region") references "public"."customers" ("id", "region") on update cascade on delete set null deferrable initially deferred not valid',
      'alter table "orders" validate constraint "orders_customer_fkey"',
    ]);
    expect(await constraintsOf()).toMatchObject([{ name: 'orders_customer_fkey', valid: true }]);
    expect(await add()).toEqual([]);
  });

  test('only validates one that is there and is not valid', async () => {
    await add({ ...key, validate: 'later' });
    expect(await constraintsOf()).toMatchObject([{ valid: false }]);
    expect(await add()).toEqual(['alter table "orders" validate constraint "orders_customer_fkey"']);
  });

  test('refuses another one of that name, in each respect', async () => {
    await add();
    const before = await constraintsOf();
    const { onDelete: _1, ...restricting } = key;
    const { deferrable: _2, ...immediate } = key;
    const others: AddForeignKeyOptions[] = [
      restricting,
      immediate,
      { ...key, onUpdate: 'restrict' },
      { ...key, deferrable: 'initially immediate' },
      { ...key, columns: ['region', 'customer'] },
      { ...key, columns: ['customer'], references: { table: 'customers', columns: ['id'] } },
      { ...key, references: { table: 'orders', columns: ['id', 'region'] } },
    ];
    for (const other of others)
      await expect(add(other)).rejects.toMatchObject(
        refused(/there is another constraint "orders_customer_fkey" of "orders" already: FOREIGN KEY/),
      );
    await expect(addCheck(knex, { table: 'orders', name: key.name, expression: 'id > 0' })).rejects.toMatchObject(
      refused(/another constraint/),
    );
    expect(await constraintsOf()).toEqual(before);
  });

  test('of rows that break it fails, holds new rows to it, and goes on when the rows are mended', async () => {
    await database.query('insert into orders values (2, 7, 7)');
    await expect(add()).rejects.toMatchObject({ code: '23503' });
    expect(await constraintsOf()).toMatchObject([{ valid: false }]);
    await expect(database.query('insert into orders values (3, 8, 8)')).rejects.toMatchObject({ code: '23503' });
    await database.query('delete from orders where id = 2');
    expect(await add()).toEqual(['alter table "orders" validate constraint "orders_customer_fkey"']);
  });

  test('of a partitioned table is refused before PostgreSQL 18, and added from then on', async () => {
    await database.query(
      `create table parted (id int, customer int) partition by list (id); create table parted_1 partition of parted for values in (1)`,
    );
    const parted = add({
      table: 'parted',
      name: 'parted_fkey',
      columns: ['customer'],
      references: { table: 'customers', columns: ['id'] },
    });
    if (major >= 18) expect(await parted).toHaveLength(2);
    else await expect(parted).rejects.toMatchObject(refused(/before PostgreSQL 18 a partitioned table/));
    expect(await constraintsOf('parted')).toMatchObject(major >= 18 ? [{ valid: true }] : []);
  });
});

describe('addCheck', () => {
  const check = {
    table: 'orders',
    name: 'orders_status_check',
    expression: `status in ('open', 'why?') or total between 1 and 2 -- as sold`,
  };
  const add = async (options: object = {}) => await changes(async () => await addCheck(knex, { ...check, ...options }));

  test('adds it without a look at the rows, then validates it; a second time it sends nothing, whatever the server made of the words', async () => {
    const [first, second, ...others] = await add();
    expect(first).toContain('not valid');
    expect([second, others]).toEqual(['alter table "orders" validate constraint "orders_status_check"', []]);
    expect(await constraintsOf()).toMatchObject([{ valid: true, definition: expect.stringContaining(`'why?'::text`) as string }]);
    expect(await add()).toEqual([]);
  });

  test('only validates one that is not valid, and refuses another one of that name', async () => {
    await add({ validate: 'later' });
    expect(await constraintsOf()).toMatchObject([{ valid: false }]);
    const before = await constraintsOf();
    await expect(add({ expression: `status in ('open', 'why?') or total between 1 and 3` })).rejects.toMatchObject(
      refused(/another constraint/),
    );
    expect(await constraintsOf()).toEqual(before);
    expect(await add()).toHaveLength(1);
    await database.query('alter table orders add constraint mine check (id > 0) no inherit');
    await expect(add({ name: 'mine', expression: 'id > 0' })).rejects.toMatchObject(refused(/NO INHERIT/));
  });

  test('refuses one that is not enforced', async (context) => {
    if (major < 18) return context.skip();
    await database.query('alter table orders add constraint mine check (id > 0) not enforced');
    await expect(add({ name: 'mine', expression: 'id > 0' })).rejects.toMatchObject(refused(/NOT ENFORCED/));
  });
});

describe('validateConstraint', () => {
  const added = { table: 'orders', name: 'orders_id_check' };
  const add = async (on: Knex) => await addCheck(on, { ...added, expression: 'id > 0', validate: 'later' });

  test('validates in a transaction that has not locked the table, and is content with a valid one', async () => {
    await add(knex);
    await knex.transaction(async (trx) => await validateConstraint(trx, added));
    expect(await constraintsOf()).toMatchObject([{ valid: true }]);
    expect(await changes(async () => await validateConstraint(knex, added))).toEqual([]);
  });

  test('is refused in the transaction that added it, and nothing of that stays', async () => {
    const both = knex.transaction(async (trx) => {
      await add(trx);
      await validateConstraint(trx, added);
    });
    await expect(both).rejects.toMatchObject(refused(/holds a AccessExclusiveLock|holds AccessExclusiveLock/));
    expect(await constraintsOf()).toEqual([]);
    await expect(validateConstraint(knex, added)).rejects.toMatchObject({ code: '42704' });
  });
});

describe('setNotNull', () => {
  const column = { table: 'orders', column: 'customer' };
  const set = async (options: { table: string; column: string } = column) => await changes(async () => await setNotNull(knex, options));
  const requiredOf = async (table = 'orders') =>
    (await shapeOf(database, table)).columns.filter(({ required }) => required).map(({ name }) => name as string);
  const steps = [
    'alter table "orders" add constraint "ensure_migrated_not_null_customer" check ("customer" is not null) not valid',
    'alter table "orders" validate constraint "ensure_migrated_not_null_customer"',
    'alter table "orders" alter column "customer" set not null',
    'alter table "orders" drop constraint "ensure_migrated_not_null_customer"',
  ];

  test('proves it by a check that is validated, and takes the check away; a second time it sends nothing', async () => {
    expect(await set()).toEqual(steps);
    expect(await requiredOf()).toEqual(['id', 'customer']);
    expect(await constraintsOf()).toEqual([]);
    expect(await set()).toEqual([]);
  });

  test.each([1, 2, 3])('goes on after statement %i', async (count) => {
    for (const step of steps.slice(0, count)) await database.query(step);
    expect(await set()).toEqual(steps.slice(count));
    expect(await requiredOf()).toEqual(['id', 'customer']);
    expect(await constraintsOf()).toEqual([]);
  });

  test('of rows without a value fails, and goes on when they have one', async () => {
    await database.query('insert into orders values (2)');
    await expect(set()).rejects.toMatchObject({ code: '23514' });
    expect(await requiredOf()).toEqual(['id']);
    await database.query('delete from orders where id = 2');
    expect(await set()).toEqual(steps.slice(1));
  });

  test('refuses another constraint of the name of its check, and works for a partitioned table and a long name', async () => {
    await database.query('alter table orders add constraint ensure_migrated_not_null_customer check (customer > 0)');
    await expect(set()).rejects.toMatchObject(refused(/another constraint "ensure_migrated_not_null_customer"/));
    const long = 'c'.repeat(63);
    await database.query(
      `create table parted (id int, ${long} int) partition by list (id); create table parted_1 partition of parted for values in (1)`,
    );
    expect(await set({ table: 'parted', column: long })).toHaveLength(4);
    expect([await requiredOf('parted'), await requiredOf('parted_1')]).toEqual([[long], [long]]);
  });

  test('validates a NOT NULL that is not valid', async (context) => {
    if (major < 18) return context.skip();
    await database.query('alter table orders add constraint there not null customer not valid');
    expect(await set()).toEqual(['alter table "orders" validate constraint "there"']);
    expect(await set()).toEqual([]);
  });
});

describe('in a transaction', () => {
  test('what would hold a lock while rows are read is refused before anything is changed, and what would not is done', async () => {
    const calls: ((trx: Knex) => Promise<void>)[] = [
      async (trx) => await addCheck(trx, { table: 'orders', name: 'x', expression: 'id > 0' }),
      async (trx) =>
        await addForeignKey(trx, {
          table: 'orders',
          name: 'x',
          columns: ['customer'],
          references: { table: 'customers', columns: ['id'] },
        }),
      async (trx) => await setNotNull(trx, { table: 'orders', column: 'customer' }),
    ];
    for (const call of calls) {
      await expect(knex.transaction(call)).rejects.toMatchObject({
        code: 'EM_DDL_REFUSED',
        remedy: expect.stringContaining('Add `export const config = { transaction: false }` to the migration') as string,
      });
    }
    await knex.transaction(async (trx) => {
      await addCheck(trx, { table: 'orders', name: 'x', expression: 'id > 0', validate: 'later' });
    });
    expect(await constraintsOf()).toMatchObject([{ name: 'x', valid: false }]);
  });
});
