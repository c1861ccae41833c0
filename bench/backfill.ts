// Measures a backfill of many rows beside one UPDATE statement, in one run, while others write; prints the table for docs/performance.md. `--rows 200000` for fewer.
import { parseArgs } from 'node:util';
import pg from 'pg';
import { backfill, ensureMigrated, type Backfill } from '../src/index.js';
import { openPlace } from './place.js';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '2000000' } } });
const rowCount = Number(values.rows);
const heading = ['way', 's', 'rows/s', 'WAL, MB', 'dead rows after', 'writer p50, ms', 'p99, ms', 'longest stall, ms', 'heap after, MB'];
const rowOf = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;

await using place = await openPlace();
const ways: Record<string, (scene: Scene) => Promise<number>> = {
  'one UPDATE': async ({ client, table }) => await timed(async () => await client.query(`update ${table} set v = v + 1`)),
  'batches, target 200 ms': async (scene) => await byBackfill(scene, 1, { set: 'v = v + 1' }),
  'the same, four workers on four ranges': async (scene) => await byBackfill(scene, 4, { set: 'v = v + 1', parallel: 4 }),
  'in code, target 200 ms': async (scene) =>
    await byBackfill(scene, 1, { apply: (rows) => rows.map((row) => ({ ...row, v: (row['v'] as number) + 1 })) }),
};
console.log([rowOf(heading), rowOf(heading.map(() => '---'))].join('\n'));
for (const [name, run] of Object.entries(ways)) console.log(await measure(name, run));

interface Scene {
  readonly url: string;
  readonly client: pg.Client;
  readonly table: string;
}

async function measure(name: string, run: (scene: Scene) => Promise<number>): Promise<string> {
  const url = await place.createDatabase();
  const client = new pg.Client(url);
  await client.connect();
  const table = 'orders';
  await client.query(`create table ${table} (id bigint primary key, v int not null default 0, other int not null default 0, filler text)`);
  await client.query(`insert into ${table} select i, 0, 0, repeat('x', 100) from generate_series(1, $1::int) i`, [rowCount]);
  await client.query(`vacuum analyze ${table}`);
  await client.query('checkpoint');
  const writers = [startWriter(url, table), startWriter(url, table)];
  const before = await lsn(client);
  const seconds = (await run({ url, client, table })) / 1_000;
  const waits = (await Promise.all(writers.map((writer) => writer.stop()))).flat().sort((a, b) => a - b);
  const wal = ((await lsn(client)) - before) / 2 ** 20;
  await refuseWrong(client, table);
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // until the counters have come in
  const [dead] = (await client.query<{ n: string }>(`select n_dead_tup as n from pg_stat_user_tables where relname = $1`, [table])).rows;
  await client.end();
  const at = (share: number) => (waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0).toFixed(1);
  const heap = process.memoryUsage().heapUsed / 2 ** 20;
  const speed = Math.round(rowCount / seconds);
  return rowOf([name, seconds.toFixed(1), speed, wal.toFixed(0), dead?.n ?? '', at(0.5), at(0.99), at(1), heap.toFixed(0)]);
}

async function byBackfill({ url }: Scene, workerCount: number, definition: Partial<Backfill>): Promise<number> {
  const migration = {
    backfills: { orders_v: { table: 'orders', targetMs: 200, ...definition } },
    up: async (knex: Parameters<typeof backfill.enqueue>[0]) => await backfill.enqueue(knex, 'orders_v'),
    down: () => undefined,
  };
  const options = {
    connection: url,
    logger: false,
    migrations: { modules: { '1_orders_v.js': migration } },
    rules: { 'history-unmanaged': 'off' },
  } as const;
  await ensureMigrated(options);
  return await timed(async () => {
    const all = await Promise.all(Array.from({ length: workerCount }, async () => await backfill.run(options)));
    if (all[0]?.[0]?.status !== 'done') throw new Error(JSON.stringify(all[0]));
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Somebody who changes one row after the other, anywhere in the table, and notes how long each takes. */
function startWriter(url: string, table: string): { stop(): Promise<number[]> } {
  const waits: number[] = [];
  let goesOn = true;
  const work = async (): Promise<void> => {
    const client = new pg.Client(url);
    await client.connect();
    while (goesOn) {
      const before = performance.now();
      await client.query(`update ${table} set other = other + 1 where id = $1`, [1 + Math.floor(Math.random() * rowCount)]);
      waits.push(performance.now() - before);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.end();
  };
  const done = work();
  return {
    stop: async () => {
      goesOn = false;
      await done;
      return waits;
    },
  };
}

async function lsn(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ at: string }>(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as at`);
  return Number(rows[0]?.at);
}

async function refuseWrong(client: pg.Client, table: string): Promise<void> {
  const { rows } = await client.query<{ v: number; n: number }>(`select v, count(*)::int as n from ${table} group by v`);
  if (rows.length !== 1 || rows[0]?.v !== 1 || rows[0]?.n !== rowCount)
    throw new Error(`not each row was changed once: ${JSON.stringify(rows)}`);
}
