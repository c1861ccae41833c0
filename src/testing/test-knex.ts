import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import type pg from 'pg';
import { knexClientOf } from '../config/index.js';
import { cleanSession, watchSession } from './used-session.js';

const require = createRequire(import.meta.url);

interface KnexClient {
  pool: { numFree(): number; numUsed(): number; destroy(): Promise<void> } | undefined;
  readonly config: { readonly pool?: { readonly afterCreate?: unknown } };
  acquireRawConnection: () => Promise<pg.Client>;
  acquireConnection(): Promise<pg.Client>;
  releaseConnection(connection: object): Promise<void>;
  setSchemaSearchPath?(connection: object): Promise<unknown>;
}

/** A knex to this database: of the project's own configuration where there is one. Opens nothing until it is asked. */
export function openKnex(url: string, base?: Knex): Knex {
  const { knex } = require('knex') as typeof import('knex');
  const project = knexClientOf(base);
  const config = project && { ...project.config, client: project.constructor };
  const made = knex({ ...(config ?? { client: 'pg', pool: { min: 0, max: 10 } }), connection: url } as Knex.Config);
  const client = made.client as KnexClient;
  const acquire = client.acquireRawConnection.bind(client);
  const stock = (knex({ client: 'pg' }).client as KnexClient).acquireRawConnection;
  if (client.acquireRawConnection !== stock || client.config.pool?.afterCreate) hooked.add(made);
  client.acquireRawConnection = async () => {
    const connection = await acquire();
    watchSession(connection);
    return connection;
  };
  return made;
}

// Code of the project makes each of its sessions what it is, and knows alone how: only a new one is as it was.
const hooked = new WeakSet<Knex>();

/** Makes its idle sessions as new, or ends them all. */
export async function cleanKnex(knex: Knex): Promise<void> {
  const client = knex.client as KnexClient;
  if (client.pool === undefined) return knex.initialize(); // a test has ended it
  if (hooked.has(knex) || client.pool.numUsed() > 0) return await renewKnex(knex);
  const taking = Array.from({ length: client.pool.numFree() }, async () => await client.acquireConnection().catch(() => undefined));
  const taken = (await Promise.all(taking)).filter((each) => each !== undefined);
  const states = await Promise.all(
    taken.map(async (each) => await cleanSession(each, async () => await client.setSchemaSearchPath?.(each))),
  );
  for (const each of taken) await client.releaseConnection(each);
  if (states.includes('spoilt')) await renewKnex(knex);
}

/** Ends its idle sessions; new ones are opened on need. Those that a test never gave back are left to the server, and their places are free again. */
export async function renewKnex(knex: Knex): Promise<void> {
  const client = knex.client as KnexClient;
  const { pool } = client;
  client.pool = undefined;
  knex.initialize();
  const ending = pool?.destroy().catch(() => undefined);
  if (pool?.numUsed() === 0) await ending;
}
