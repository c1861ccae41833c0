import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { describeWithPgBouncer, startPgBouncer } from './pgbouncer.js';
import { startProxy, type Proxy } from './proxy.js';
import { createDatabase, type TestDatabase } from './servers.js';

let database: TestDatabase;
let proxy: Proxy;
beforeAll(async () => {
  database = await createDatabase();
  proxy = await startProxy(database.url);
});
afterEach(async () => {
  await proxy.accept();
  proxy.heal();
  proxy.cut();
  proxy.setLatency(0);
});

const connect = async (): Promise<pg.Client> => await database.connect(proxy.urlOf(database.url));

test('a simple query, one with values and two statements in one message are one round trip each', async () => {
  proxy.reset();
  const client = await connect();
  await client.query('select 1');
  await client.query('select $1::int', [2]);
  await client.query('select 3; select 4');
  expect(proxy.counts()).toMatchObject({
    connections: 1,
    roundTrips: 3,
    answers: 3,
    statements: ['select 1', 'select $1::int', 'select 3; select 4'],
    messages: ['Q', 'P', 'B', 'D', 'E', 'S', 'Q'],
  });
});

test('a large result and a large text get through whole', async () => {
  const client = await connect();
  const text = 'x'.repeat(3_000_000);
  const { rows } = await client.query('select $1::text as text, repeat($$y$$, 2000000) as other', [text]);
  expect(rows).toEqual([{ text, other: 'y'.repeat(2_000_000) }]);
});

test('latency is added to each round trip', async () => {
  const client = await connect();
  proxy.setLatency(50);
  const startedAt = performance.now();
  await client.query('select 1');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(49);
});

test('in the black hole nothing is answered, nobody is told, and the sockets stay open', async () => {
  const client = await connect();
  const heard: unknown[] = [];
  client.on('error', (error) => heard.push(error)).on('end', () => heard.push('end'));
  const [{ pid }] = (await client.query('select pg_backend_pid() as pid')).rows as [{ pid: number }];
  proxy.blackHole();
  const answer = client.query('select 1').catch(() => 'failed');
  await database.query('select pg_terminate_backend($1)', [pid]);
  expect(await Promise.race([answer, sleep(300, 'nothing')])).toBe('nothing');
  expect(heard).toEqual([]);
  proxy.heal();
  await expect((await connect()).query('select 1')).resolves.toMatchObject({ rowCount: 1 });
});

test('a cut ends both sides', async () => {
  const client = await connect();
  const [{ pid }] = (await client.query('select pg_backend_pid() as pid')).rows as [{ pid: number }];
  const answer = client.query('select pg_sleep(0.1)');
  proxy.cut();
  await expect(answer).rejects.toThrow();
  await expect.poll(() => database.query('select 1 from pg_stat_activity where pid = $1', [pid])).toEqual([]);
});

test('refused, turned away, accepted', async () => {
  await proxy.refuse();
  await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.accept();
  proxy.turnAway('57P03', 'the database system is starting up');
  await expect(connect()).rejects.toMatchObject({ code: '57P03', message: 'the database system is starting up' });
  await proxy.accept();
  await expect(connect()).resolves.toBeDefined();
});

test('a held statement has not reached the server before it is released', async () => {
  const client = await connect();
  const hold = proxy.hold('create table held');
  const done = client.query('CREATE TABLE held (id int)');
  await hold.reached;
  expect(await database.query(`select to_regclass('held') as found`)).toEqual([{ found: null }]);
  hold.release();
  await done;
  expect(await database.query(`select to_regclass('held')::text as found`)).toEqual([{ found: 'held' }]);
});

test('a COMMIT whose reply is dropped has happened, one that is dropped itself has not', async () => {
  for (const [table, drop] of [
    ['lost_reply', 'dropReplyOf'],
    ['lost_request', 'dropRequest'],
  ] as const) {
    const client = await connect();
    await client.query(`begin; create table ${table} (id int)`);
    const dropped = proxy[drop]('commit');
    await expect(client.query('commit')).rejects.toThrow();
    await dropped;
  }
  const found = await database.query(`select to_regclass('lost_reply')::text as reply, to_regclass('lost_request')::text as request`);
  expect(found).toEqual([{ reply: 'lost_reply', request: null }]);
});

describeWithPgBouncer('PgBouncer', () => {
  test('a client behind it in transaction mode has another backend than it was told', async () => {
    const pooler = await startPgBouncer(database.url);
    const client = await database.connect(pooler.urlOf(database.url));
    const [{ pid }] = (await client.query('select pg_backend_pid() as pid')).rows as [{ pid: number }];
    expect((client as unknown as { processID: number }).processID).not.toBe(pid);
  });

  test('it knows the users it was told of, and no others', async () => {
    const role = await database.createRole();
    const pooler = await startPgBouncer(database.url, { users: [role.url] });
    await expect(database.connect(pooler.urlOf(role.url))).resolves.toBeDefined();
    await expect(database.connect(pooler.urlOf(database.roleUrl('nobody', 'x')))).rejects.toThrow();
  });
});
