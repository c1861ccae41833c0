// Measures reset() of the test harness beside the other ways to a clean database, in one run, each in turn, on an embedded server in memory.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { ensureMigrated } from '../src/index.js';
import { startTestDatabases } from '../src/testing/index.js';
import { median } from './runner.js';

const quick = process.argv.includes('--quick');
const rounds = quick ? 5 : 15;
const tables = 40;
const count = 60;
const directory = makeMigrations();
const options = { migrations: directory, postgres: 18 };

const started = performance.now();
await using harness = await startTestDatabases(options);
const firstMs = performance.now() - started;
const db = await harness.acquire();
const server = db.url.replace(/[^/]*$/, 'postgres');
const kept = await again(server);

type Way = 'reset()' | 'migrations again' | 'drop schema, migrations' | 'drop, create from template' | 'truncate all tables';
const template = await templateOf();
const ways: Record<Way, () => Promise<unknown>> = {
  'reset()': async () => await db.reset(),
  'migrations again': async () => {
    await admin('drop database if exists other with (force)', 'create database other');
    await migrate();
  },
  'drop schema, migrations': async () => {
    await on(other(), 'drop schema public cascade; create schema public');
    await migrate();
  },
  'drop, create from template': async () =>
    await admin('drop database if exists copy with (force)', `create database copy template ${template}`),
  'truncate all tables': async () => await on(other(), `truncate ${names().join(', ')} restart identity cascade`),
};
const samples = Object.fromEntries(Object.keys(ways).map((way) => [way, [] as number[]])) as Record<Way, number[]>;
await ways['migrations again']();
await ways['drop, create from template']();
for (let round = 0; round <= rounds; round++) {
  for (const [way, run] of Object.entries(ways) as [Way, () => Promise<unknown>][]) {
    await write(way === 'reset()' ? db.url : way === 'drop, create from template' ? db.url.replace(/[^/]*$/, 'copy') : other());
    const before = performance.now();
    await run();
    if (round > 0) samples[way].push(performance.now() - before); // the first warms up
  }
}
const ours = median(samples['reset()']);
const rows = (Object.keys(ways) as Way[]).map((way) => {
  const middle = median(samples[way]);
  return `| ${way} | ${middle.toFixed(1)} | ${Math.min(...samples[way]).toFixed(1)} | ${(middle / ours).toFixed(1)} |`;
});
console.log(['| way | median, ms | fastest, ms | times reset() |', '|---|---|---|---|', ...rows].join('\n'));
console.log(
  `\nFirst start of server and template ${firstMs.toFixed(0)} ms; second start on a kept template ${kept.toFixed(0)} ms; ${rounds} rounds.`,
);
rmSync(directory, { recursive: true });

function makeMigrations(): string {
  const place = mkdtempSync(join(tmpdir(), 'em-bench-'));
  for (let n = 1; n <= count; n++) writeFileSync(join(place, `${String(n).padStart(3, '0')}_step.sql`), migrationText(n));
  return place;
}

/** Forty tables with an index, a foreign key and rows in every fifth; then twenty changes of them. */
function migrationText(n: number): string {
  if (n > tables) return `alter table t_${n - tables} add column more_${n} text default 'x'; create index on t_${n - tables} (more_${n});`;
  const reference = n === 1 ? '' : `, parent bigint references t_${n - 1} (id)`;
  const seed = n % 5 === 0 ? `insert into t_${n} (name) select 'row ' || i from generate_series(1, 50) i;` : '';
  return `create table t_${n} (id bigint generated always as identity primary key, name text not null, at timestamptz default now()${reference});
    create index on t_${n} (name); ${seed}`;
}

function names(): string[] {
  return Array.from({ length: tables }, (_, index) => `t_${index + 1}`);
}

function other(): string {
  return db.url.replace(/[^/]*$/, 'other');
}

async function migrate(): Promise<void> {
  await ensureMigrated({ connection: other(), migrations: directory, logger: false });
}

async function templateOf(): Promise<string> {
  return (await on(server, `select datname from pg_database where datname like 'em\\_t\\_%'`))[0]?.['datname'] as string;
}

async function again(url: string): Promise<number> {
  const before = performance.now();
  const second = await startTestDatabases({ migrations: directory, url });
  const took = performance.now() - before;
  await second.stop();
  return took;
}

/** What a test leaves: twenty rows in four tables, in a transaction. */
async function write(url: string): Promise<void> {
  const inserts = [1, 2, 3, 4].map((n) => `insert into t_${n} (name) select 'x' || i from generate_series(1, 5) i;`);
  await on(url, `begin; ${inserts.join(' ')} commit`);
}

async function admin(...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await on(server, statement);
}

async function on(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const result = (await client.query(sql)) as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? [] : result.rows) as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
