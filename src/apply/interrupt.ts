import { MigrationError } from '../errors.js';
import { whenEnded } from '../session/index.js';
import type { StepConnection } from '../step/index.js';
import type { Applying } from './applying.js';

/**
 * Runs a migration's body until it ends, or until we are told to stop (the running statement is cancelled from the side), the session is
 * lost, or the migration has sent nothing for `timeouts.silenceMs` and nothing of it runs: a promise that never resolves.
 * A body that is left behind gets no query through any more.
 */
export async function interruptible<T>(applying: Applying, connection: StepConnection, body: () => Promise<T>): Promise<T> {
  const { call, session } = applying;
  call.stop.throwIfAborted();
  const over = new AbortController();
  const interruption = new Promise<never>((_, reject) => {
    const interrupt = (reason: Error) => {
      connection.close();
      reject(reason);
    };
    const listening = { applying, connection, interrupt, over: over.signal };
    onStop(listening);
    whenSilent(listening);
    whenEnded(session.wire, over.signal, () => interrupt(session.wire.lost ?? new Error('the connection was closed')));
  });
  interruption.catch(() => undefined); // it may come when nobody waits any more
  const running = body();
  running.catch(() => undefined); // when it was left behind nobody else listens
  try {
    return await Promise.race([running, interruption]);
  } finally {
    over.abort();
  }
}

interface Listening {
  readonly applying: Applying;
  readonly connection: StepConnection;
  readonly interrupt: (reason: Error) => void;
  readonly over: AbortSignal;
}

function onStop({ applying: { call, session }, connection, interrupt, over }: Listening): void {
  const stop = () => {
    // While the COMMIT is on its way only the server knows how it ends: cancel, and let its answer decide.
    const reason = call.stop.reason as MigrationError;
    void session.cancel().finally(() => connection.committing || interrupt(reason));
  };
  call.stop.addEventListener('abort', stop, { once: true, signal: over });
}

function whenSilent({ applying: { call, session, watch }, connection, interrupt, over }: Listening): void {
  const { silenceMs } = call.config.timeouts;
  const timer = setInterval(
    () => {
      const silent = session.wire.idle && performance.now() - connection.activeAt >= silenceMs;
      if (!silent && watch.starvedMs < silenceMs) return;
      const what = silent ? 'sent a statement' : 'touched its open stream';
      interrupt(new MigrationError('EM_MIGRATION_STALLED', `the migration has not ${what} for ${silenceMs} ms, and has not ended`));
    },
    Math.min(silenceMs / 4, 1_000),
  );
  over.addEventListener('abort', () => clearInterval(timer), { once: true });
}
