import { AsyncLocalStorage } from 'node:async_hooks';
import type { Knex } from 'knex';
import type pg from 'pg';
import { requestCancel } from './cancel.js';
import type { Wire } from './wire.js';

type Release = () => void;
type Container = ((trx: Knex.Transaction) => unknown) | undefined;

// What we override of knex's PostgreSQL client; the rest of it is knex's own.
interface KnexClient {
  readonly config: object;
  _stream(connection: object, ...rest: unknown[]): Promise<unknown>;
  transaction(container: Container, config: unknown, outer: unknown): unknown;
}
type KnexClientClass = new (config: object) => KnexClient;

/**
 * A knex whose every query goes to one connection: no pool, no silent reconnect. Top-level transactions and plain queries take turns, as
 * with a pool of one; one that waits for itself is refused with a sentence. With the user's instance its dialect, identifiers and
 * post-processing are kept. Opens nothing.
 */
export async function bindKnex(facade: pg.Client, wire: Wire, user: Knex | undefined): Promise<Knex> {
  const { default: createKnex } = await import('knex');
  const base = (user ?? createKnex({ client: 'pg' })).client as KnexClient;
  const { host, port, database, user: role } = wire.client;
  return createKnex({
    connection: { host, port, ...(database && { database }), ...(role && { user: role }) }, // for migrations that read it; nothing connects with it
    ...base.config,
    client: boundClass(base.constructor as unknown as KnexClientClass, facade, wire) as unknown as typeof Knex.Client,
    asyncStackTraces: true, // so that a failing query can be traced to the line of the migration that built it
  });
}

// Transaction clients are made by Object.create(constructor.prototype): state lives in the closure, never in fields of the subclass.
function boundClass(Base: KnexClientClass, facade: pg.Client, wire: Wire): KnexClientClass {
  const turns = new Turns();
  const insideTransaction = new AsyncLocalStorage<true>();
  return class BoundClient extends Base {
    initializePool(): void {
      // Nothing to pool.
    }

    async acquireConnection(): Promise<object> {
      if (insideTransaction.getStore()) throw new Error(selfWait);
      await turns.take();
      return facade;
    }

    releaseConnection(): Promise<void> {
      turns.release();
      return Promise.resolve();
    }

    override transaction(container: Container, config: unknown, outer: unknown): unknown {
      const inside = container && ((trx: Knex.Transaction) => insideTransaction.run(true, () => container(trx)));
      return super.transaction(outer ? container : inside, config, outer);
    }

    async cancelQuery(): Promise<void> {
      await requestCancel(wire);
    }

    destroy(callback?: () => void): Promise<void> {
      callback?.(); // a migration that destroys its knex means the pool that it thinks it has
      return Promise.resolve();
    }
  };
}

const selfWait =
  'a query or a transaction outside of the transaction that is open would wait for it for ever: migrations run on one connection, use the trx that you were given';

/** One connection, one user at a time, in order of arrival. */
class Turns {
  private last: Promise<void> = Promise.resolve();
  private readonly releases: Release[] = [];

  async take(): Promise<void> {
    const before = this.last;
    this.last = new Promise((resolve) => this.releases.push(resolve));
    await before;
  }

  release(): void {
    this.releases.shift()?.();
  }
}
