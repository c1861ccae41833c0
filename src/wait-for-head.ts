import type { Call } from './call.js';
import { findingsError, MigrationError } from './errors.js';
import { errorsOf } from './finding.js';
import { readHistory, type History, type Tables } from './history/index.js';
import { isBusy, jitter, lockKey, readHolder } from './lock.js';
import { readState } from './read-state.js';
import type { Session } from './session/index.js';
import type { Migration } from './source/index.js';
import type { State } from './state.js';

export interface WaitRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly migrations: readonly Migration[];
  readonly state: State;
  readonly history: History;
  /** What is waited for. Default: that everything is in sync. */
  readonly isReached?: (state: State) => boolean;
}

const reportEveryMs = 5_000;

/**
 * Looks at the history until somebody else has brought the database to head, and gives the state then. Takes no lock, writes nothing. Throws
 * EM_OUT_OF_SYNC at once for what waiting does not mend, EM_WAIT_TIMEOUT when `timeouts.lockMs` have passed without progress; a statement
 * of the holder that still runs is progress.
 */
export async function waitForHead(request: WaitRequest): Promise<State> {
  const { call, session, tables, isReached = isInSync } = request;
  let { state, history } = request;
  let progressedAt = performance.now();
  let reportedAt = -Infinity;
  for (;;) {
    refuse(state, history);
    if (performance.now() - progressedAt > call.config.timeouts.lockMs) throw timedOut(request, state);
    if (performance.now() - reportedAt > reportEveryMs) {
      reportedAt = performance.now();
      call.report.info('lock.waiting', { pendingCount: state.pending.length, holder: history.owner });
    }
    await call.wait(jitter());
    const before = signOf(history);
    history = await readHistory(session, tables);
    state = await readState({ ...request, history });
    if (isReached(state)) return state;
    if (signOf(history) !== before || (await isAtWork(request, history))) progressedAt = performance.now();
  }
}

const isInSync = ({ inSync }: State): boolean => inSync;

// What the holder does is hidden from a role that may only read: then it counts as at work, and `timeouts.callMs` ends the wait.
async function isAtWork({ session, tables }: WaitRequest, { facts }: History): Promise<boolean> {
  const holder = await readHolder(session, lockKey(facts, tables));
  return holder !== undefined && (isBusy(holder) || holder.state === null || holder.state === 'active');
}

// A database without a history may be one that is about to be migrated for the first time.
function refuse({ findings }: State, { facts }: History): void {
  const lasting = errorsOf(findings).filter(({ code }) => code !== 'history-unmanaged');
  if (lasting.length > 0) throw findingsError('EM_OUT_OF_SYNC', `the database "${facts.database}" does not match this code`, findings);
}

function signOf({ applied, owner }: History): string {
  return JSON.stringify([applied?.length, owner]);
}

function timedOut({ call }: WaitRequest, { pending }: State): MigrationError {
  const names = pending.slice(0, 5).map(({ name }) => name);
  const what =
    names.length > 0 ? `not applied: ${names.join(', ')}` : 'all is applied, but the run that did it has not said that it ended well';
  return new MigrationError(
    'EM_WAIT_TIMEOUT',
    `nobody has brought the database to head, and nothing has moved for ${call.config.timeouts.lockMs} ms; ${what}`,
  );
}
