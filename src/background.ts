import { backgroundWork, definitionsIn, pause } from './backfill/index.js';
import type { Call } from './call.js';
import type { Options } from './config/index.js';
import { isMigrationError, sqlStateOf, type MigrationError } from './errors.js';
import type { Tables } from './history/index.js';
import { runCall } from './run-call.js';
import { openSession, type Session } from './session/index.js';
import type { Migration } from './source/index.js';

export interface BackgroundRequest {
  /** Of the boot. */
  readonly options: Options;
  readonly tables: Tables;
  readonly migrations: readonly Migration[];
}

const backoffMs = { least: 500, most: 30_000 };

/**
 * Works on backfills in this process, and returns at once: a call of its own, on a connection of its own, which keeps no process alive. It ends when no
 * backfill is left that this code can work on, and, its batch taken back, with SIGTERM, SIGINT and `signal`. A lost connection is opened again. Never throws:
 * what ends it otherwise is the event `backfill.worker-ended`.
 */
export function workInBackground({ options, tables, migrations }: BackgroundRequest): void {
  inBackground(options, async (call) => await backgroundWork({ call, tables, definitionOf: definitionsIn(migrations) }));
}

/** The same for other work: what `begin` gives works on a session until that is lost, and then on another one. */
export function inBackground(options: Options, begin: (call: Call) => Promise<(session: Session) => Promise<void>>): void {
  const { timeouts } = options;
  const patient: Options = { ...options, timeouts: { ...timeouts, connectMs: 5_000, callMs: 2 ** 31 - 1 } };
  void runCall(patient, async (call) => await work(call, await begin(call)), tellEnded).catch(() => undefined); // told by then
}

/** What has ended a worker, for the log. */
export function tellEnded({ report }: Call, { code, remedy }: MigrationError): void {
  if (code === 'EM_ABORTED') report.info('backfill.worker-stopped', {});
  else report.error('backfill.worker-ended', { code, remedy });
}

async function work(call: Call, workOn: (session: Session) => Promise<void>): Promise<void> {
  for (let failures = 0; ; failures++) {
    const startedAt = performance.now();
    try {
      await using session = await openSession(call);
      session.wire.unref();
      return await workOn(session);
    } catch (error) {
      call.stop.throwIfAborted();
      if (!isPassing(error)) throw error;
      if (performance.now() - startedAt > backoffMs.most) failures = 0;
      call.report.warn('backfill.reconnecting', { reason: codeOf(error) });
      await pause(call, Math.min(backoffMs.most, backoffMs.least * 2 ** Math.min(failures, 10)));
    }
  }
}

function codeOf(error: unknown): string {
  return isMigrationError(error) ? error.code : (sqlStateOf(error) ?? 'unknown');
}

/** Not so: what a person has to mend, a right that is lacking, a table that is gone, a migration that cannot be imported. */
export function isPassing(error: unknown): boolean {
  return isMigrationError(error) ? error.retryable : !/^(42|3[DF])/.test(codeOf(error));
}
