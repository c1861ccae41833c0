import { MigrationError } from '../errors.js';
import type { StepConnection } from '../session/index.js';
import type { Applying } from './applying.js';

/**
 * Runs a migration's body until it ends, or until we are told to stop (the running statement is cancelled from the side), the session is
 * lost, or the migration has sent nothing for `timeouts.silenceMs` and nothing of it runs: a promise that never resolves.
 * A body that is left behind gets no query through any more.
 */
export async function interruptible<T>(applying: Applying, connection: StepConnection, body: () => Promise<T>): Promise<T> {
  const { call, session } = applying;
  const over = new AbortController();
  const interruption = new Promise<never>((_, reject) => {
    const interrupt = (reason: unknown) => {
      connection.close();
      reject(reason as Error);
    };
    const listening = { applying, connection, interrupt, over: over.signal };
    onStop(listening);
    whenSilent(listening);
    void session.wire.ended.then(() => interrupt(session.wire.lost));
  });
  interruption.catch(() => undefined);
  const running = body();
  running.catch(() => undefined); // when it was left behind nobody else listens
  try {
    call.stop.throwIfAborted();
    return await Promise.race([running, interruption]);
  } finally {
    over.abort();
  }
}

interface Listening {
  readonly applying: Applying;
  readonly connection: StepConnection;
  readonly interrupt: (reason: unknown) => void;
  readonly over: AbortSignal;
}

function onStop({ applying: { call, session }, connection, interrupt, over }: Listening): void {
  const stop = () => {
    // While the COMMIT is on its way only the server knows how it ends: cancel, and let its answer decide.
    const reason: unknown = call.stop.reason;
    void session.cancel().finally(() => connection.committing || interrupt(reason));
  };
  call.stop.addEventListener('abort', stop, { once: true, signal: over });
}

function whenSilent({ applying: { call, session }, connection, interrupt, over }: Listening): void {
  const { silenceMs } = call.config.timeouts;
  const timer = setInterval(
    () => {
      if (!session.wire.idle || performance.now() - connection.activeAt < silenceMs) return;
      interrupt(
        new MigrationError('EM_MIGRATION_STALLED', `the migration has not sent a statement for ${silenceMs} ms, and has not ended`),
      );
    },
    Math.min(silenceMs / 4, 1_000),
  );
  over.addEventListener('abort', () => clearInterval(timer), { once: true });
}
