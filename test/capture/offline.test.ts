import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startCall } from '../../src/call.js';
import { limited } from '../../src/capture/limit.js';
import type { Recorder } from '../../src/capture/recorder.js';
import { resolveConfig } from '../../src/config/index.js';
import type { StepConnection } from '../../src/step/index.js';
import { captureOffline, sqlOf } from './fixture.js';

const up = (body: string) => `export const up = async (knex) => { ${body} };`;

describe('a capture without a server', () => {
  test('has what knex would send, in order, with the line that built it', async () => {
    const capture = await captureOffline(`export const up = async (knex) => {
      await knex.schema.createTable('orders', (t) => { t.increments(); t.text('customer').index(); });
      for (const customer of ['a', 'b']) await knex('orders').insert({ customer });
    };`);
    expect(capture).toMatchObject({ exactness: 'exact', reason: undefined });
    expect(sqlOf(capture)).toEqual([
      'create table "orders" ("id" serial primary key, "customer" text)',
      'create index "orders_customer_index" on "orders" ("customer")',
      `insert into "orders" ("customer") values ('a')`,
      `insert into "orders" ("customer") values ('b')`,
    ]);
    expect(capture.statements.map(({ place }) => place?.replace(/.*:/, ''))).toEqual(['2', '2', '3', '3']);
    expect(capture.statements[2]).toMatchObject({ text: 'insert into "orders" ("customer") values ($1)', effect: 'write' });
  });

  test('splits several statements in one text, which stay one message', async () => {
    const { statements } = await captureOffline(
      up('await knex.raw("create table a (x text); select 1; comment on table a is $$;$$"); await knex.raw("select 2")'),
    );
    expect(statements.map(({ sql, effect, message }) => [sql, effect, message])).toEqual([
      ['create table a (x text)', 'write', 1],
      ['select 1', 'read', 1],
      ['comment on table a is $$;$$', 'write', 1],
      ['select 2', 'read', 2],
    ]);
  });

  test('writes values as pg would send them, and leaves alone what only looks like a parameter', async () => {
    const capture = await captureOffline(
      up(`await knex.raw("insert into é values (?, ?, ?, ?, ?, ?, ?, ?, '$1', $$ $2 $$) -- $3", [
        "o'clock\\\\\\\\", null, true, 1.5, [1, null, 'a"b', [2]], { json: ["'"] }, Buffer.from('hi'), new Date(Date.UTC(2020, 0, 2)) ])`),
    );
    const [sql = ''] = sqlOf(capture);
    expect(sql.replace(/'2020[^']+'/, "'date'")).toBe(
      `insert into é values (E'o''clock\\\\\\\\', null, 'true', '1.5', E'{"1",NULL,"a\\\\"b",{"2"}}', '{"json":["''"]}', E'\\\\x6869', 'date', '$1', $$ $2 $$) -- $3`,
    );
  });

  test('reads a script without running it, with the line of each statement', async () => {
    const text = '-- first\ncreate table a ();\n\n-- é\ncreate function f() returns int language sql as $$ select 1; $$;\nselect f();';
    const { statements, exactness } = await captureOffline(text, { name: '01.sql' });
    expect(exactness).toBe('exact');
    expect(statements.map(({ text: each, place }) => [each, place?.replace(/.*:/, '')])).toEqual([
      ['create table a ()', '2'],
      ['create function f() returns int language sql as $$ select 1; $$', '5'],
      ['select f()', '6'],
    ]);
  });

  test('takes the down when it is asked for', async () => {
    const capture = await captureOffline(`${up('')} export const down = async (knex) => await knex.schema.dropTable('orders');`, {
      direction: 'down',
    });
    expect(sqlOf(capture)).toEqual(['drop table "orders"']);
  });

  test('keeps savepoints; the transaction itself is not the migration’s', async () => {
    const capture = await captureOffline(up('await knex.transaction(async (trx) => { await trx("a").del(); });'));
    expect(sqlOf(capture)).toEqual([
      expect.stringMatching(/^SAVEPOINT trx/),
      'delete from "a"',
      expect.stringMatching(/^RELEASE SAVEPOINT trx/),
    ]);
    const outside = await captureOffline(up('await knex.transaction(async (trx) => { await trx("a").del(); });'), { transaction: false });
    expect(sqlOf(outside)).toEqual(['BEGIN', 'delete from "a"', 'COMMIT']);
  });

  test.each([
    [
      'hasTable',
      `if (!(await knex.schema.hasTable('x'))) await knex.raw('create table x ()');`,
      /^it needs the answer to `select \* from information_schema\.tables/,
    ],
    ['a select of the builder', `await knex('a').select('b');`, /^it needs the answer to `select "b" from "a"`$/],
    [
      'rows of raw SQL',
      `const { rows } = await knex.raw('select * from a'); if (rows[0]) await knex('b').del();`,
      /^it needs the answer to `select \* from a`$/,
    ],
    ['rows, and swallows that', `try { (await knex.raw('select * from a')).rows } catch {}`, /^it needs the answer to/],
    ['what an insert returns', `await knex('a').insert({ b: 1 }).returning('id');`, /^it needs the answer to `insert/],
    ['a count, in a loop', `let n; do n = await knex('a').update({ b: 1 }); while (n > 0);`, /^what it sends depends on how many rows/],
    ['a count, as a condition', `if (await knex('a').del()) await knex('b').del();`, /^what it sends depends on how many rows/],
    ['a stream', `for await (const row of knex('a').stream()) row.x;`, /^it opens a cursor, a stream or COPY$/],
    ['COPY', `await knex.raw('copy a from stdin');`, /^it sends `copy a from stdin`$/],
    ['its own commit', `await knex.raw('commit');`, /its transaction is ensure-migrated's to begin and to end/],
    ['a commit in the middle', `await knex.raw('select 1; commit');`, /^it sends `commit`$/],
    ['an error', `await knex.raw('create table a ()'); throw new Error('no token');`, /^it throws: no token$/],
  ])('is opaque for a migration that uses %s, and says why', async (_what, body, reason) => {
    const capture = await captureOffline(up(body));
    expect(capture.exactness).toBe('opaque');
    expect(capture.reason).toMatch(reason);
  });

  test.each([
    ['a select whose answer nobody looks at', `await knex.raw("select pg_catalog.set_config('search_path', '', false)");`],
    [
      'an update whose count nobody looks at',
      `await knex('a').update({ b: 1 }); await knex.transaction(async (trx) => { await trx('c').del(); });`,
    ],
    ['a batch insert', `await knex.batchInsert('a', [{ b: 1 }, { b: 2 }], 1);`],
  ])('is exact for %s', async (_what, body) => {
    expect(await captureOffline(up(body))).toMatchObject({ exactness: 'exact' });
  });

  test('does not run a migration that says capture: false', async () => {
    const capture = await captureOffline(`export const config = { capture: false }; ${up('globalThis.ran = true;')}`);
    expect(capture).toEqual({ statements: [], exactness: 'opaque', reason: 'its config says capture: false' });
    expect(globalThis).not.toHaveProperty('ran');
  });

  test('does not begin one when it was told to stop before', async () => {
    using call = startCall(resolveConfig({ mode: 'off', signal: AbortSignal.abort(), logger: false }));
    let begun = false;
    const body = () => Promise.resolve((begun = true));
    const parts = { recorder: {} as Recorder, connection: {} as StepConnection };
    await expect(limited({ call, ...parts }, body)).rejects.toMatchObject({ code: 'EM_ABORTED' });
    expect(begun).toBe(false);
  });

  test('leaves behind a migration that never ends', async () => {
    const capture = await captureOffline(up('await knex.raw("select 1"); await new Promise(() => undefined);'), {
      options: { timeouts: { silenceMs: 200 } },
    });
    expect(capture).toMatchObject({
      exactness: 'opaque',
      reason: expect.stringMatching(/^it has not sent a statement for 200 ms/) as string,
    });
    expect(sqlOf(capture)).toEqual(['select 1']);
  });

  test('ends one that sends statements for ever', async () => {
    const capture = await captureOffline(up('for (;;) await knex.raw("select 1");'));
    expect(capture).toMatchObject({ exactness: 'opaque', reason: 'it sends more than 20000 statements' });
  }, 60_000);

  test('hears nothing of what a forgotten promise sends afterwards', async () => {
    const unhandled: unknown[] = [];
    process.on('unhandledRejection', (reason) => unhandled.push(reason));
    const capture = await captureOffline(
      up('setTimeout(() => void knex.raw("drop table a").then(() => undefined), 20); await knex.raw("select 1");'),
    );
    await delay(60);
    expect(sqlOf(capture)).toEqual(['select 1']);
    expect(unhandled).toEqual([]);
  });
});
