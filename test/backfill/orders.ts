import { runInThisContext } from 'node:vm';
import type { Options } from '../../src/index.js';
import { startCode, type Script } from '../support/process.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

type MigrationModules = NonNullable<Extract<Options['migrations'], { readonly modules?: unknown }>['modules']>;

export const rowCount = 1_500;

/** A database with a table of many rows, each with `v` = 0, and no history yet. */
export async function makeOrders(rows = rowCount): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query('create table orders (id bigint primary key, v int not null default 0)');
  await database.query('insert into orders select i from generate_series(1, $1::int) i', [rows]);
  return database;
}

/** The source of a module, for this process and for others: both must see one definition. */
export type Sources = Readonly<Record<string, string>>;

/** Enqueues `orders_v`, each row of which takes its time: all of them a second or two, in many batches. */
export const enqueuing = (
  definition = `{ table: 'orders', set: 'v = v + 1 + length(pg_sleep(0.0002)::text)', batchSize: 50, targetMs: 100 }`,
): string => `{
  backfills: { orders_v: ${definition} },
  up: async (knex) => await backfill.enqueue(knex, 'orders_v'),
  down: async () => undefined,
}`;

/** Fails where a row is not done, or done twice. */
export const requiring = (requires = `{ backfills: ['orders_v'] }`): string => `{
  config: { requires: ${requires}, capture: false },
  up: async (knex) => {
    const { rows } = await knex.raw('select count(*)::int as n from orders where v <> 1');
    if (rows[0].n > 0) throw new Error(rows[0].n + ' rows are not done');
    await knex.raw('create table gated ()');
  },
  down: async (knex) => await knex.raw('drop table gated'),
}`;

const rules = { 'schema-drift': 'off', 'history-unmanaged': 'off' } as const;

/** Options for a boot in this process. */
export async function optionsFor({ url }: Pick<TestDatabase, 'url'>, sources: Sources, others: Options = {}): Promise<Options> {
  const { backfill } = await import('../../src/index.js');
  const modulesOf = runInThisContext(`(backfill) => (${render(sources)})`) as (given: typeof backfill) => MigrationModules;
  return { connection: url, logger: false, migrations: { modules: modulesOf(backfill) }, rules, ...others };
}

/** Boots in a process of its own, which tells its events and then, if `stays`, goes on like a service. */
export function startService(
  { url }: Pick<TestDatabase, 'url'>,
  sources: Sources,
  { kill = 0, stays = true, ...options }: Options & { readonly kill?: number; readonly stays?: boolean } = {},
): Script {
  return startCode(`
    import { ensureMigrated, backfill } from 'ensure-migrated';
    const tell = (event, fields) => console.log(JSON.stringify({ ...fields, event }));
    let moves = 0;
    const onProgress = ({ event, ...fields }) => {
      tell(event, fields);
      if (event === 'backfill.moved' && ++moves === ${kill}) process.kill(process.pid, 'SIGKILL');
    };
    const modules = ${render(sources)};
    const rules = ${JSON.stringify(rules)};
    try {
      const outcome = await ensureMigrated({ connection: ${JSON.stringify(url)}, logger: false, rules, onProgress, migrations: { modules }, ...${JSON.stringify(options)} });
      tell('service.ready', { outcome });
      if (${stays}) setInterval(() => undefined, 1_000);
    } catch (error) {
      tell('service.failed', { code: error.code, message: error.message });
      process.exitCode = error.exitCode;
    }`);
}

function render(sources: Sources): string {
  return `{ ${Object.entries(sources)
    .map(([name, source]) => `${JSON.stringify(name)}: ${source}`)
    .join(', ')} }`;
}

/** How many rows have been changed how often. */
export async function changesIn(database: TestDatabase): Promise<Record<string, unknown>[]> {
  return await database.query('select v, count(*)::int as n from orders group by v order by v');
}

export const eachOnce = (rows = rowCount) => [{ v: 1, n: rows }];

/** What the table of backfills says. */
export async function stateOf(database: TestDatabase): Promise<Record<string, unknown> | undefined> {
  const [row] = await database.query('select status, rows_done::int as done, error from knex_migrations_backfills order by name, range');
  return row;
}

export async function historyOf(database: TestDatabase): Promise<unknown[]> {
  return (await database.query('select name from knex_migrations order by id')).map(({ name }) => name as unknown);
}
