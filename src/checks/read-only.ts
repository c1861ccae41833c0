import { whenEnded, type Session } from '../session/index.js';
import type { CheckInput } from './check.js';

/** A read-only transaction, or part of one. */
export interface ReadOnly {
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** When a query was last sent or answered, by performance.now(); undefined while one runs. */
  readonly quietSince: number | undefined;
  /** Whether the transaction is still the one that was begun, as far as can be seen. */
  readonly isOpen: boolean;
  /** Undoes everything. No query gets through any more. Throws EM_LOST_SESSION. */
  end(): Promise<void>;
}

/**
 * Begins a transaction that cannot write. Where one is open already (behind a pooler: it holds the lock) it is a part of that one. Both end in
 * a savepoint: after it the server refuses SET TRANSACTION READ WRITE, which at the top it accepts until the first query.
 */
export async function beginReadOnly(session: Session): Promise<ReadOnly> {
  const nested = session.wire.status !== 'I';
  await session.send(
    nested
      ? 'savepoint ensure_migrated_check; set transaction read only'
      : 'begin isolation level read committed read only; savepoint ensure_migrated_check',
  );
  let running = 0;
  let quietSince = performance.now();
  let ended = false;
  return {
    async query<Row>(text: string, values: readonly unknown[] = []) {
      if (ended) throw new Error('this check has ended: await every query before it does');
      running++;
      try {
        return await session.query<Row>(text, values);
      } finally {
        running--;
        quietSince = performance.now();
      }
    },
    get quietSince() {
      return running > 0 ? undefined : quietSince;
    },
    get isOpen() {
      return session.wire.status !== 'I';
    },
    async end() {
      ended = true;
      if (session.wire.lost || session.wire.status === 'I') return;
      await session.send(nested ? 'rollback to savepoint ensure_migrated_check; release savepoint ensure_migrated_check' : 'rollback');
    },
  };
}

/** Runs what a user wrote until it ends, we are told to stop, the session is lost, or it has asked nothing for `timeouts.silenceMs`. */
export async function bounded<T>({ call, session }: CheckInput, door: ReadOnly, work: () => Promise<T>): Promise<T> {
  const { silenceMs } = call.config.timeouts;
  const over = new AbortController();
  const { promise: interruption, reject } = rejectable();
  const stop = () => void session.cancel().finally(() => reject(call.stop.reason));
  call.stop.addEventListener('abort', stop, { once: true, signal: over.signal });
  whenEnded(session.wire, over.signal, () => reject(session.lostOr(session.wire.lost)));
  const timer = setInterval(
    () => {
      const { quietSince = performance.now() } = door;
      if (performance.now() - quietSince >= silenceMs)
        reject(new Error(`it has asked nothing for ${silenceMs} ms (timeouts.silenceMs), and has not ended`));
    },
    Math.min(silenceMs / 4, 1_000),
  );
  const running = work();
  running.catch(() => undefined); // when it was left behind nobody else listens
  try {
    return await Promise.race([running, interruption]);
  } finally {
    clearInterval(timer);
    over.abort();
  }
}

function rejectable(): { promise: Promise<never>; reject: (reason: unknown) => void } {
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<never>((_, no) => (reject = no));
  promise.catch(() => undefined); // it may come when nobody waits any more
  return { promise, reject };
}
