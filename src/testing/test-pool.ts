import pg from 'pg';
import { cleanSession, watchSession } from './used-session.js';

/** The pool of a test database. */
export interface TestPool {
  readonly pool: pg.Pool;
  /** Makes its idle sessions as new, or ends them. */
  clean(): Promise<void>;
  /** Ends its idle sessions; new ones are opened on need. */
  renew(): Promise<void>;
}

/** Opens nothing until it is asked, and keeps no process alive. */
export function openPool(url: string): TestPool {
  const pool = new pg.Pool({ connectionString: url, allowExitOnIdle: true });
  const lost = new Set<pg.PoolClient>();
  pool.on('error', () => undefined);
  pool.on('remove', (client) => lost.delete(client));
  pool.on('connect', (client) => {
    watchSession(client);
    client.on('error', () => lost.add(client)); // one that a test forgot to release is ended by the server
  });
  return {
    pool,
    clean: async () => {
      for (const client of lost) client.release(true); // the places of those who are forgotten would be missing one day
      await Promise.all((await takeIdle(pool)).map(cleanClient));
    },
    renew: async () => {
      await Promise.all((await takeIdle(pool)).map(endClient));
    },
  };
}

async function takeIdle(pool: pg.Pool): Promise<pg.PoolClient[]> {
  const taken = await Promise.allSettled(Array.from({ length: pool.idleCount }, async () => await pool.connect()));
  return taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

async function cleanClient(client: pg.PoolClient): Promise<void> {
  if ((await cleanSession(client)) === 'as new') client.release();
  else await endClient(client);
}

// Once the server has closed it: what it held is free.
async function endClient(client: pg.PoolClient): Promise<void> {
  await (client as unknown as pg.Client).end().catch(() => undefined);
  client.release(true);
}
