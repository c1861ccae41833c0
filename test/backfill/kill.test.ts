import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { poll } from '../support/boot.js';
import { root } from '../support/majors.js';
import { startCode, startScript, type Script } from '../support/process.js';
import { startServer, type TestDatabase, type TestServer } from '../support/servers.js';
import { enqueueOn, type Enqueued } from './fixture.js';

// A sweep: KILLS=30 npx vitest run test/backfill/kill.test.ts
const killCount = Number(process.env['KILLS'] ?? 4);

let server: TestServer;
let database: TestDatabase;
beforeAll(async () => {
  server = await startServer();
  database = await server.createDatabase();
  await database.query('create table pace (ms float)');
});

const keys = {
  bigint: { columns: 'id bigint primary key', values: 'i' },
  uuid: { columns: 'id uuid primary key', values: 'gen_random_uuid()' },
  composite: { columns: 'a int, b text, primary key (b, a)', values: `i, 'k' || i % 7` },
};

const slowly = 'pg_sleep((select ms from pace) / 1000) is not null';
const setPace = async (ms: number) => await database.query('with gone as (delete from pace) insert into pace values ($1)', [ms]);

/** Each row takes its time, so that kills fall into the middle of statements, and into the middle of the table. */
async function enqueueSlow({ columns, values }: (typeof keys)['bigint'], workerCount: number) {
  const rowCount = 2000 + 300 * killCount * workerCount;
  await setPace(2);
  const enqueued = await enqueueOn(database, {
    columns,
    rows: `select ${values} from generate_series(1, ${rowCount}) i`,
    definition: () => ({ where: slowly, targetMs: 10, batchSize: 5, parallel: workerCount }),
  });
  return { ...enqueued, rowCount };
}

interface Work {
  /** How far the work has come; grows. */
  readonly moved: () => Promise<number>;
  /** A process that has loaded what it needs, and waits. */
  readonly load: () => Promise<Script>;
  readonly workerCount: number;
  /** Is done with each third kill. */
  readonly crash?: () => Promise<void>;
}

/** Kills one of the workers a moment after they have been seen to move, and puts another in its place, until it is enough. Gives those that are left. */
async function killUntil({ moved, load, workerCount, crash }: Work, isEnough: () => Promise<boolean>): Promise<Script[]> {
  const workers = await Promise.all(Array.from({ length: workerCount }, load));
  workers.forEach((worker) => worker.write('go\n'));
  for (let kills = 0; !(await isEnough());) {
    const [spare, before] = await Promise.all([load(), moved()]);
    await poll(async () => ((await moved()) > before ? true : undefined));
    await sleep(Math.random() * 50);
    const [victim] = workers.splice(Math.floor(Math.random() * workerCount), 1, spare);
    expect((await victim?.kill())?.signal).toBe('SIGKILL'); // it was at work
    if (++kills % 3 === 0) await crash?.();
    spare.write('go\n');
  }
  return workers;
}

async function crash(): Promise<void> {
  await server.stop('immediate');
  await server.start();
}

async function loadWorker({ options: { migrations } }: Enqueued): Promise<Script> {
  const { tableName } = migrations as { tableName: string };
  const env = { RUN: JSON.stringify({ connection: database.url, tableName }) };
  const script = startScript(path.join(root, 'test/support/backfill-child.js'), { env });
  await script.waitForEvent('child.ready');
  return script;
}

async function expectOnce({ counted }: Enqueued, rowCount: number): Promise<void> {
  expect(await counted()).toEqual([{ v: 1, n: rowCount }]);
}

const cases = Object.entries(keys).flatMap(([name, key]) => [1, 4].map((workerCount) => [name, workerCount, key] as const));

describe.each(cases)('a key of type %s and %i workers', (_name, workerCount, key) => {
  test(`${killCount} times kill -9, and crashes of the server: each row is changed once`, async () => {
    const { rowCount, ...enqueued } = await enqueueSlow(key, workerCount);
    const table = `${(enqueued.options.migrations as { tableName: string }).tableName}_backfills`;
    const read = async () => (await database.query(`select sum(rows_seen)::int as n, sum(rows_done)::int as changed from ${table}`))[0];
    let left = killCount;
    const moved = async () => (await read())?.['n'] as number;
    const load = () => loadWorker(enqueued);
    const workers = await killUntil({ moved, load, workerCount, crash }, () => Promise.resolve(left-- === 0));
    await setPace(0);
    for (const worker of workers) expect(await worker.ended).toMatchObject({ code: 0 });
    await expectOnce(enqueued, rowCount);
    expect(await read()).toEqual({ n: rowCount, changed: rowCount });
    expect(await database.query(`select distinct status from ${table}`)).toEqual([{ status: 'done' }]);
  }, 600_000);
});

const { resolve } = createRequire(import.meta.url);

// What runs on in the server when its client is killed is committed, and its client's successor does not know.
const checkpointApart = (url: string, table: string) => `
  import pg from ${JSON.stringify(resolve('pg'))};
  const client = new pg.Client(${JSON.stringify(url)});
  await client.connect();
  console.log('{"event":"child.ready"}');
  await new Promise((go) => process.stdin.once('data', go));
  for (;;) {
    const { rows: [{ done }] } = await client.query('select done from checkpoint');
    if (done >= (await client.query('select max(id)::int as id from ${table}')).rows[0].id) process.exit(0);
    await client.query('update ${table} set v = v + 1 where id > $1 and id <= $1 + 5 and ${slowly}', [done]);
    await client.query('update checkpoint set done = done + 5');
  }`;

test('of a runner that moves its cursor in another transaction than the rows the same is not true', async () => {
  const enqueued = await enqueueOn(database, { rows: 'select i from generate_series(1, 5000) i' });
  await setPace(2);
  await database.query('create table checkpoint as select 0 as done');
  const load = async () => {
    const script = startCode(checkpointApart(database.url, enqueued.table));
    await script.waitForEvent('child.ready');
    return script;
  };
  const moved = async () => (await database.query('select done from checkpoint'))[0]?.['done'] as number;
  const isTwice = async () => (await database.query(`select from ${enqueued.table} where v > 1`)).length > 0;
  await killUntil({ moved, load, workerCount: 1 }, isTwice);
  await expect(expectOnce(enqueued, 5000)).rejects.toThrow();
});
