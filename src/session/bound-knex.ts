import { AsyncLocalStorage } from 'node:async_hooks';
import type { Knex } from 'knex';
import { requestCancel } from './cancel.js';
import type { StepConnection } from './step-connection.js';
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
export async function bindKnex(connection: StepConnection, wire: Wire, user: Knex | undefined): Promise<Knex> {
  const { default: createKnex } = await import('knex');
  const base = (user ?? createKnex({ client: 'pg' })).client as KnexClient;
  const { host, port, database, user: role } = wire.client;
  return createKnex({
    connection: { host, port, ...(database && { database }), ...(role && { user: role }) }, // for migrations that read it; nothing connects with it
    ...base.config,
    client: boundClass(base.constructor as unknown as KnexClientClass, connection, wire) as unknown as typeof Knex.Client,
    asyncStackTraces: true, // so that a failing query can be traced to the line of the migration that built it
  });
}

// Transaction clients are made by Object.create(constructor.prototype): state lives in the closure, never in fields of the subclass.
function boundClass(Base: KnexClientClass, connection: StepConnection, wire: Wire): KnexClientClass {
  const turns = new Turns();
  const inside = insideTransaction(connection);
  return class BoundClient extends Base {
    initializePool(): void {
      // Nothing to pool.
    }

    async acquireConnection(): Promise<object> {
      if (inside?.getStore()) throw new Error(selfWait);
      await wire.streamClosed(); // it has the turn, and its reader may be the one who asks
      await turns.take();
      return connection.facade;
    }

    releaseConnection(): Promise<void> {
      turns.release();
      return Promise.resolve();
    }

    override transaction(container: Container, config: unknown, outer: unknown): unknown {
      const marked = inside && container && ((trx: Knex.Transaction) => inside.run(true, () => container(trx)));
      return super.transaction(outer ? container : (marked ?? container), config, outer);
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

// Where the one transaction is ours the migration has nothing but its trx. An AsyncLocalStorage costs every promise of the process for as
// long as it is enabled, so it ends with the step.
function insideTransaction(connection: StepConnection): AsyncLocalStorage<true> | undefined {
  if (connection.transaction === 'transaction') return undefined;
  const storage = new AsyncLocalStorage<true>();
  connection.onClose = () => storage.disable();
  return storage;
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
