import { renderClaimed } from '../claim.js';
import {
  compatibilityOf,
  renderBackfillsDelete,
  renderHistoryDelete,
  renderHistoryInsert,
  type Attempt,
  type StatementEntry,
} from '../history/index.js';
import { renderAttempt, renderMeasuredAttempt, renderOwner, renderStatement } from '../journal-rows.js';
import { renderPossession } from '../lock.js';
import type { Step } from '../plan.js';
import { renderSettings, type Session } from '../session/index.js';
import { literal } from '../sql.js';
import type { Applying, Run } from './applying.js';

/** Behind a pooler the transaction holds the lock: an attempt is undone to here. */
export const stepsSavepoint = 'ensure_migrated_steps';

/** What rides before a migration's first statement; each element is one statement. */
export function renderOpening(applying: Applying): string[] {
  const { session, key, scope } = applying;
  const begin = scope === 'session' ? 'begin isolation level read committed;' : `savepoint ${stepsSavepoint};`;
  const settings = scope === 'session' ? session.renderLease() : session.renderSettings('local');
  return [begin, settings, renderLockTimeout(applying), renderPossession(key), renderClaimed(applying.tables, applying.claim.owner)];
}

// Without a watcher no statement waits without a bound, the rows of the record neither.
function renderLockTimeout({ watch }: Applying): string {
  return renderSettings([['lock_timeout', String(watch.lockTimeout())]], 'local');
}

/** Puts back what a migration may have changed in the session. Behind a pooler the session is not ours: only the role is. */
export function renderReset({ session, scope }: Applying): string[] {
  if (scope === 'xact') return [session.renderRole()];
  return ['reset role;', 'reset session authorization;', 'reset all;', session.renderSettings()];
}

/** The tags by which the record of a script is recognised in the answer to the message that holds both. */
export function recordMark({ scope }: Applying): string {
  return scope === 'xact' ? 'SELECT 1,DO,DO' : 'RESET,RESET,RESET,SELECT 1';
}

/**
 * Possession, the history rows, the journal rows and COMMIT, as one message. Its last tag must be COMMIT: an aborted transaction answers
 * ROLLBACK there, without an error.
 */
export function renderRecord(applying: Applying, runs: readonly Run[]): string {
  const rows = runs.flatMap((run) => [renderHistory(applying, run.step), renderDone(applying, run)]);
  // What is done outside a transaction is done: it is recorded, and the next migration will not begin.
  const claimed = runs.at(-1)?.step.transaction ? [renderClaimed(applying.tables, applying.claim.owner)] : [];
  return [
    ...renderReset(applying),
    renderLockTimeout(applying),
    renderPossession(applying.key),
    ...claimed,
    ...rows,
    ownerAt(applying, runs.at(-1)),
    'commit;',
  ].join('\n');
}

// A script whose record travels with it has not run yet: its times are the server's to take, and how long it will wait for locks is not known.
function renderDone(applying: Applying, run: Run): string {
  const attempt = attemptOf(applying, run, { status: 'done' });
  if (!run.ended) return renderMeasuredAttempt(applying, run.step.name, attempt);
  return renderAttempt(applying, run.step.name, { ...attempt, ...timesOf(run) });
}

function renderHistory({ tables, claim }: Applying, { name, direction }: Step): string {
  if (direction === 'up') return renderHistoryInsert(tables, name, claim.batch);
  return `${renderHistoryDelete(tables, name)}\n${renderBackfillsDelete(tables, `migration = ${literal(name)}`)}`;
}

/** The rows that open a migration outside a transaction. */
export function renderStarted(applying: Applying, run: Run): string {
  const started = renderAttempt(applying, run.step.name, { ...attemptOf(applying, run, { status: 'started' }), ...timesOf(run) });
  return [...renderReset(applying), renderPossession(applying.key), renderClaimed(applying.tables, applying.claim.owner), started].join(
    '\n',
  );
}

/** Announces a statement that is about to be sent outside a transaction, and sets the session to what suits it. */
export function renderAnnouncement(applying: Applying, run: Run, entry: StatementEntry): string {
  const { session, watch, key } = applying;
  const build = entry.kind === 'create-index-concurrently';
  const settings = [
    session.renderConnectionCheck(build ? 'off' : 'on'),
    // A concurrent build that is cancelled leaves an invalid index behind: it may wait.
    watch.mode === 'watching' ? '' : renderSettings([['lock_timeout', build ? '0' : String(watch.lockTimeout())]]),
  ];
  return [renderPossession(key), asOurselves(session, renderStatement(applying, run.step.name, entry)), ...settings].join('\n');
}

// A migration may have taken another role, which need not have a right on the journal. In a transaction of its own, LOCAL would last
// until its end: so the role is put back.
function asOurselves(session: Session, text: string): string {
  return `select pg_catalog.set_config('ensure_migrated.role', pg_catalog.current_setting('role'), true);
    ${session.renderRole()}
    ${text}
    select pg_catalog.set_config('role', pg_catalog.current_setting('ensure_migrated.role'), true);`;
}

/** How an attempt ended when it did not end well. Holds no values: the failing SQL stands only in the thrown error. */
export function renderEnded(applying: Applying, run: Run, end: Pick<Attempt, 'status' | 'sqlState' | 'message'>): string {
  return renderAttempt(applying, run.step.name, { ...attemptOf(applying, run, end), ...timesOf(run) });
}

function attemptOf(applying: Applying, run: Run, end: Pick<Attempt, 'status' | 'sqlState' | 'message'>): Attempt {
  const { migration, direction, name } = run.step;
  return {
    direction,
    checksum: migration.checksum,
    ...compatibilityOf(migration.config, applying.lint?.breakingOf(name)),
    batch: applying.claim.batch,
    tries: run.tries,
    statementCount: run.statementCount,
    ...end,
  };
}

function timesOf({ durationMs, lockWaitMs, started }: Run): Pick<Attempt, 'durationMs' | 'lockWaitMs' | 'started' | 'finished'> {
  return { durationMs, lockWaitMs, started: started.toISOString(), finished: new Date().toISOString() };
}

// Those who wait read here how far we are. It is visible once the step commits, so it names the step that comes next.
function ownerAt({ tables, claim, plan }: Applying, run: Run | undefined): string {
  const next = plan.steps[run?.step.number ?? 0];
  if (!next) return renderOwner(tables, claim.owner);
  return renderOwner(tables, { ...claim.owner, migration: next.name, step: next.number, of: next.of });
}

export function renderFirstOwner(applying: Applying): string {
  return ownerAt(applying, undefined);
}
