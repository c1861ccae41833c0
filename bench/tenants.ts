// Measures a schema per tenant in one database beside knex with one instance per tenant, each in turn; prints the tables for docs/performance.md. `--tenants 50` for fewer.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import createKnex from 'knex';
import pg from 'pg';
import { ensureMigrated } from '../src/index.js';
import { openPlace } from './place.js';

const { values } = parseArgs({ options: { tenants: { type: 'string', default: '200' }, copies: { type: 'string', default: '2000' } } });
const [tenantCount, copyCount] = [Number(values.tenants), Number(values.copies)];
const widths = [1, 8];
const rowOf = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const heading = ['way', 'tenants', 'at once', 's', 'most connections'];

await using place = await openPlace();
console.log([rowOf(heading), rowOf(heading.map(() => '---'))].join('\n'));
for (const width of widths) await fromNothing(width);
await upToDate();

/** Six tables and four changes. */
function migrations(): Record<string, { up(knex: { raw(sql: string): Promise<unknown> }): Promise<unknown>; down(): void }> {
  const tables = [1, 2, 3, 4, 5, 6].map(
    (n) => `create table t${n} (id bigint generated always as identity primary key, name text not null, at timestamptz default now())`,
  );
  const changes = [1, 2, 3, 4].map((n) => `alter table t${n} add column more text; create index t${n}_more on t${n} (more)`);
  const steps = [...tables, ...changes].map(
    (sql, index) =>
      [
        `${String(index + 1).padStart(2, '0')}_step.js`,
        { up: async (knex: { raw(sql: string): Promise<unknown> }) => await knex.raw(sql), down: () => undefined },
      ] as const,
  );
  return Object.fromEntries(steps);
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `tenant_${String(index).padStart(5, '0')}`);
}

async function ours(url: string, schemas: readonly string[], concurrency: number): Promise<void> {
  const outcome = await ensureMigrated({
    connection: url,
    logger: false,
    migrations: { modules: migrations() },
    tenants: { schemas, concurrency },
  });
  if (outcome.tenants?.length !== schemas.length || outcome.to === undefined) throw new Error(JSON.stringify(outcome).slice(0, 500));
}

/** What a loop over knex instances does, so many at a time. */
async function knexes(url: string, schemas: readonly string[], concurrency: number): Promise<void> {
  const waiting = schemas.values();
  const all = migrations();
  const migrationSource = {
    getMigrations: async () => await Promise.resolve(Object.keys(all)),
    getMigrationName: (name: string) => name,
    getMigration: async (name: string) => await Promise.resolve(all[name] as never),
  };
  const lane = async () => {
    for (const schema of waiting) {
      const knex = createKnex({ client: 'pg', connection: url, searchPath: [schema, 'public'], pool: { min: 0, max: 2 } });
      await knex.migrate.latest({ migrationSource, schemaName: schema });
      await knex.destroy();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function fromNothing(width: number): Promise<void> {
  for (const [way, run] of [
    ['ensure-migrated', ours],
    ['knex per tenant', knexes],
  ] as const) {
    const url = await place.createDatabase();
    const schemas = names(tenantCount);
    await query(url, schemas.map((name) => `create schema ${name}`).join(';'));
    await tell(way, url, schemas, width, run);
    await tell(`${way}, nothing to do`, url, schemas, width, run);
  }
}

/** One tenant is migrated, and the others are copies of its tables, row by row. */
async function upToDate(): Promise<void> {
  const url = await place.createDatabase();
  const schemas = names(copyCount);
  await query(url, `create schema ${schemas[0]}`);
  await ours(url, schemas.slice(0, 1), 1);
  await query(url, copySql(schemas));
  await query(url, 'vacuum analyze');
  for (const width of widths) await tell('ensure-migrated, nothing to do', url, schemas, width, ours);
  await tell('knex per tenant, nothing to do', url, schemas, 8, knexes);
}

function copySql([first, ...others]: readonly string[]): string {
  return `do $$ declare s text; t text; begin
    foreach s in array array[${others.map((name) => `'${name}'`).join(', ')}] loop
      execute format('create schema %I', s);
      for t in select relname from pg_class where relnamespace = '${first}'::regnamespace and relkind = 'r' loop
        execute format('create table %I.%I (like ${first}.%I including all)', s, t, t);
        execute format('insert into %I.%I overriding system value select * from ${first}.%I', s, t, t);
      end loop;
      commit;
    end loop; end $$`;
}

async function tell(way: string, url: string, schemas: readonly string[], width: number, run: typeof ours): Promise<void> {
  const watch = startWatch(url);
  const started = performance.now();
  await run(url, schemas, width);
  const seconds = (performance.now() - started) / 1_000;
  console.log(rowOf([way, schemas.length, width, seconds.toFixed(2), await watch.stop()]));
}

/** Counts the sessions of this database beside its own, every 20 ms. */
function startWatch(url: string): { stop(): Promise<number> } {
  let goesOn = true;
  let most = 0;
  const work = async (): Promise<void> => {
    const client = new pg.Client(url);
    await client.connect();
    while (goesOn) {
      const { rows } = await client.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
      );
      most = Math.max(most, rows[0]?.n ?? 0);
      await sleep(20);
    }
    await client.end();
  };
  const done = work();
  return {
    stop: async () => {
      goesOn = false;
      await done;
      return most;
    },
  };
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
