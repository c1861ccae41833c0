import type { Knex } from 'knex';
import type pg from 'pg';
import type { OnIdle } from './leaks.js';
import { cleanKnex, openKnex, renewKnex } from './test-knex.js';
import { openPool, type TestPool } from './test-pool.js';

/** The pool and the knex of a test database: made on first use, and as new after each reset. */
export interface Clients {
  readonly pool: pg.Pool;
  readonly knex: Knex;
  /** Takes back what a test has done in their idle sessions, or ends those; `end` ends all of them. */
  clean(onIdle: OnIdle): Promise<void>;
  /** Ends their idle sessions; new ones are opened on need. */
  renew(): Promise<void>;
  destroy(): Promise<void>;
}

/** The clients for a database; `base` gives knex its configuration. */
export function openClients(url: string, base?: Knex): Clients {
  let own: TestPool | undefined;
  let knex: Knex | undefined;
  const renew = async () => {
    await Promise.all([own?.renew(), knex && renewKnex(knex)]);
  };
  return {
    get pool() {
      return (own ??= openPool(url)).pool;
    },
    get knex() {
      return (knex ??= openKnex(url, base));
    },
    clean: async (onIdle) => {
      if (own?.pool.ending) own = undefined; // a test has ended it
      await Promise.all([own?.clean(), knex && cleanKnex(knex)]);
      if (onIdle === 'end') await renew();
    },
    renew,
    destroy: async () => {
      await Promise.all([own && within(own.pool.end()), knex && within(knex.destroy())]);
    },
  };
}

const endLimitMs = 1_000;

// A client that a test never gave back would keep us waiting for ever; its session ends with the database.
async function within(ending: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, endLimitMs)));
  await Promise.race([ending.catch(() => undefined), limit]);
  clearTimeout(timer);
}
