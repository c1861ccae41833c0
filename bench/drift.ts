// Measures what drift costs: a glance at the catalogs, the sum over them, the reading of the schema, and whole boots, in one run, each in turn.
import pg from 'pg';
import { catalogGlance, renderCatalogSum } from '../src/catalog-sum.js';
import { changesSince } from '../src/drift.js';
import { ensureMigrated, type Level } from '../src/index.js';
import { readSchema } from '../src/schema/index.js';
import { openPlace } from './place.js';
import { median } from './runner.js';

const quick = process.argv.includes('--quick');
const rounds = quick ? 5 : 25;
const sizes = [50, 500];
const own = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'];
const glanceText = `select ${catalogGlance} as glance`;
const sumText = `select ${renderCatalogSum(own)} as sum`;

await using place = await openPlace();
const migrations = place.migrations(1, 'sql');
const found = [];
for (const size of sizes) found.push(await measured(size));
console.log(['| |', ...sizes.map((size) => ` ${size} tables, ms |`)].join(''));
console.log(`|${' --- |'.repeat(sizes.length + 1)}`);
for (const way of Object.keys(found[0] ?? {})) console.log(`| ${way} |${found.map((cells) => ` ${cells[way]} |`).join('')}`);

/** The median of each way with the fastest in brackets, by its name. A new connection is what a boot has; a warm one shows the work itself. */
async function measured(size: number): Promise<Record<string, string>> {
  const url = await place.createDatabase();
  const client = await connectTo(url);
  for (let table = 0; table < size; table++) await client.query(tableText(table));
  const boot = async (level: Level) =>
    await ensureMigrated({ connection: url, migrations, logger: false, rules: { 'schema-drift': level, 'history-unmanaged': 'off' } });
  await boot('warn');
  await client.query('vacuum analyze');
  const read = async (by: pg.Client) => await readSchema(async (text) => [await by.query(text)].flat().at(-1)?.rows as unknown[]);
  const left = await read(client);
  const boots = await inTurn({
    'a boot in sync without the rule': async () => await boot('off'),
    'a boot in sync, catalogs as they were left': async () => await boot('warn'),
  });
  const warm = await inTurn({
    'the glance, warm': async () => await client.query(glanceText),
    'the whole sum, warm': async () => await client.query(sumText),
    'reading and comparing, warm': async () => changesSince(left, await read(client), []),
  });
  const samples = { ...warm, ...(await onNewConnections(url)), ...boots };
  await client.query('truncate other_0 cascade');
  const truncated = await inTurn({ 'a boot in sync, after a TRUNCATE': async () => await boot('warn') });
  await client.query('alter table other_1 add hotfix int; alter table other_1 drop hotfix');
  const written = await inTurn({ 'a boot in sync, catalogs written to': async () => await boot('warn') });
  await client.end();
  return Object.fromEntries(
    Object.entries({ ...samples, ...truncated, ...written }).map(([way, values]) => [
      way,
      `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)})`,
    ]),
  );
}

async function onNewConnections(url: string): Promise<Record<string, number[]>> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const client = await connectTo(url);
    await client.query('select 1');
    const began = performance.now();
    await client.query(glanceText);
    samples.push(performance.now() - began);
    await client.end();
  }
  return { 'the glance, on a new connection': samples };
}

async function inTurn(ways: Readonly<Record<string, () => Promise<unknown>>>): Promise<Record<string, number[]>> {
  const samples: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round++) {
    for (const [way, go] of Object.entries(ways)) {
      const began = performance.now();
      await go();
      if (round > 0) (samples[way] ??= []).push(performance.now() - began); // the first warms up
    }
  }
  return samples;
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  return client;
}

function tableText(table: number): string {
  const parent = table === 0 ? '' : `, parent bigint references other_${table - 1} (id)`;
  return `create table other_${table} (id bigint primary key, name text not null, amount numeric(8, 2) check (amount > 0), at timestamptz default now()${parent});
    create index on other_${table} (name); create index on other_${table} (at, amount)`;
}
