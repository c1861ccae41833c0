import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import pg from 'pg';
import { knexClientOf } from '../config/index.js';

/** The pool and the knex of a test database: made on first use, and as new after each reset. */
export interface Clients {
  readonly pool: pg.Pool;
  readonly knex: Knex;
  /** Takes back what a test has set in their idle sessions: settings, roles, LISTEN, advisory locks, temporary tables. */
  clean(): Promise<void>;
  /** Ends their idle sessions; new ones are opened on need. */
  renew(): Promise<void>;
  destroy(): Promise<void>;
}

const require = createRequire(import.meta.url);

/** A knex to this database: of the project's own configuration where there is one. Opens nothing until it is asked. */
export function openKnex(url: string, base?: Knex): Knex {
  const { knex } = require('knex') as typeof import('knex');
  const client = knexClientOf(base);
  if (client === undefined) return knex({ client: 'pg', connection: url, pool: { min: 0, max: 10 } });
  return knex({ ...client.config, client: client.constructor, connection: url } as Knex.Config);
}

/** The clients for a database; `base` gives knex its configuration. */
export function openClients(url: string, base?: Knex): Clients {
  let pool: pg.Pool | undefined;
  let knex: Knex | undefined;
  return {
    get pool() {
      return (pool ??= openPool(url));
    },
    get knex() {
      return (knex ??= openKnex(url, base));
    },
    clean: async () => {
      await Promise.all([pool && cleanPool(pool), knex && cleanKnex(knex)]);
    },
    renew: async () => {
      await Promise.all([pool && renewPool(pool), knex && renewKnex(knex)]);
    },
    destroy: async () => {
      await Promise.all([pool && within(pool.end()), knex && within(knex.destroy())]);
    },
  };
}

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, allowExitOnIdle: true });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined)); // one that a test forgot to release is ended by the server
  return pool;
}

const endLimitMs = 1_000;

// A client that a test never gave back would keep us waiting for ever; its session ends with the database.
async function within(ending: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, endLimitMs)));
  await Promise.race([ending.catch(() => undefined), limit]);
  clearTimeout(timer);
}

// What DISCARD ALL does but for the prepared statements, which pg believes to be there.
const cleaning = `close all; set session authorization default; unlisten *; select pg_catalog.pg_advisory_unlock_all();
  discard sequences; discard temp`;

async function clean(client: pg.ClientBase, what: 'all' | 'all but settings'): Promise<void> {
  await client.query(what === 'all' ? `reset all; ${cleaning}` : cleaning);
}

async function takeIdle(pool: pg.Pool): Promise<pg.PoolClient[]> {
  const taken = await Promise.allSettled(Array.from({ length: pool.idleCount }, async () => await pool.connect()));
  return taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

async function cleanPool(pool: pg.Pool): Promise<void> {
  const release = (client: pg.PoolClient) => async () => client.release();
  await Promise.all(
    (await takeIdle(pool)).map(async (client) => await clean(client, 'all').then(release(client), () => client.release(true))),
  );
}

async function renewPool(pool: pg.Pool): Promise<void> {
  for (const client of await takeIdle(pool)) client.release(true);
}

interface KnexClient {
  readonly pool?: { numFree(): number; numUsed(): number };
  readonly config: { readonly searchPath?: unknown; readonly pool?: { readonly afterCreate?: unknown } };
  acquireConnection(): Promise<pg.ClientBase>;
  releaseConnection(connection: object): Promise<void>;
}

// What knex's own configuration has set in a session (searchPath, afterCreate) must stay.
async function cleanKnex(knex: Knex): Promise<void> {
  const client = knex.client as KnexClient;
  const what = client.config.searchPath || client.config.pool?.afterCreate ? 'all but settings' : 'all';
  const free = Array.from({ length: client.pool?.numFree() ?? 0 }, async () => await client.acquireConnection().catch(() => undefined));
  for (const connection of await Promise.all(free)) {
    if (connection === undefined) continue;
    await clean(connection, what).catch(() => undefined); // the next query says so
    await client.releaseConnection(connection);
  }
}

// A connection that is in use is ended by the server; knex finds that out, and says so.
async function renewKnex(knex: Knex): Promise<void> {
  if ((knex.client as KnexClient).pool?.numUsed() !== 0) return;
  await knex.destroy();
  knex.initialize();
}
