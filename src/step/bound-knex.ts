import { AsyncLocalStorage } from 'node:async_hooks';
import type { Knex } from 'knex';
import type { Wire } from '../session/index.js';
import type { StepConnection } from './connection.js';
import { contextIn, type StepContext } from './context.js';

type Release = () => void;
type Container = ((trx: Knex.Transaction) => unknown) | undefined;

/** What a knex is bound to. */
export interface KnexTarget {
  readonly connection: Pick<StepConnection, 'facade' | 'transaction' | 'onClose'>;
  readonly wire: Pick<Wire, 'client' | 'streamClosed'>;
  /** Cancels what the connection runs. */
  readonly cancel: () => Promise<void>;
  /** `traced`: each message has, as `builtAt`, an Error with the stack of where its builder was made. */
  readonly messages?: 'traced';
  /** For functions of ours that are called with this knex; asked when they are. */
  readonly context?: (() => StepContext) | undefined;
}

// What we override of knex's PostgreSQL client; the rest of it is knex's own.
interface KnexClient {
  readonly config: object;
  runner(builder: Builder): Runner;
  _stream(connection: object, ...rest: unknown[]): Promise<unknown>;
  transaction(container: Container, config: unknown, outer: unknown): unknown;
}
interface Builder {
  readonly _asyncStack?: { readonly error: Error };
}

interface Runner {
  query(query: { options?: object }): Promise<unknown>;
}

type KnexClientClass = new (config: object) => KnexClient;

/**
 * A knex whose every query goes to one connection: no pool, no silent reconnect. Top-level transactions and plain queries take turns, as
 * with a pool of one; one that waits for itself is refused with a sentence. With the user's instance its dialect, identifiers and
 * post-processing are kept. Opens nothing.
 */
export async function bindKnex(target: KnexTarget, user: Knex | undefined): Promise<Knex> {
  const { default: createKnex } = await import('knex');
  const base = (user ?? createKnex({ client: 'pg' })).client as KnexClient;
  const { host, port, database, user: role } = target.wire.client;
  return createKnex({
    connection: { host, port, ...(database && { database }), ...(role && { user: role }) }, // for migrations that read it; nothing connects with it
    ...base.config,
    ...contextIn(target.context),
    client: boundClass(base.constructor as unknown as KnexClientClass, target) as unknown as typeof Knex.Client,
    asyncStackTraces: true, // so that a failing query can be traced to the line of the migration that built it
  });
}

// Transaction clients are made by Object.create(constructor.prototype): state lives in the closure, never in fields of the subclass.
function boundClass(Base: KnexClientClass, { connection, wire, cancel, messages }: KnexTarget): KnexClientClass {
  const turns = new Turns();
  const inside = insideTransaction(connection);
  return class BoundClient extends Base {
    initializePool(): void {
      // Nothing to pool.
    }

    override runner(builder: Builder): Runner {
      const runner = super.runner(builder);
      return messages === 'traced' ? tracedRunner(runner, builder) : runner;
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
      await cancel();
    }

    destroy(callback?: () => void): Promise<void> {
      callback?.(); // a migration that destroys its knex means the pool that it thinks it has
      return Promise.resolve();
    }
  };
}

// knex hands a query's options on to pg; the builder itself is not known there.
function tracedRunner(runner: Runner, { _asyncStack }: Builder): Runner {
  const query = runner.query.bind(runner);
  runner.query = async (each) => await query(Object.assign(each, { options: { ...each.options, builtAt: _asyncStack?.error } }));
  return runner;
}

// Where the one transaction is ours the migration has nothing but its trx. An AsyncLocalStorage costs every promise of the process for as
// long as it is enabled, so it ends with the step.
function insideTransaction(connection: KnexTarget['connection']): AsyncLocalStorage<true> | undefined {
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
