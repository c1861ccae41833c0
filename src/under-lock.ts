import type { Call } from './call.js';
import { claimHistory, LockGivenUp, renderUnclaim, type Claim } from './claim.js';
import { findingsError, messageOf, MigrationError, withLine, withOutcome } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import {
  asHindered,
  readHistory,
  resolved,
  type History,
  type JournalEntry,
  type LockKey,
  type Owner,
  type Tables,
} from './history/index.js';
import { acquireLock, lockKey, renderRelease } from './lock.js';
import { failedOutcomeOf, outcomeOf, type AppliedMigration, type FailedOutcome, type Outcome } from './outcome.js';
import { aroundPooler, isPooled } from './pooler.js';
import { readState } from './read-state.js';
import { asMigrationError, type Opened } from './run-call.js';
import type { Session } from './session/index.js';
import { identifier } from './sql.js';
import type { Migration } from './source/index.js';
import type { State } from './state.js';
import type { Unsound } from './verify.js';

export type Claimed = Claim & { readonly owner: { readonly before: Unsound } };
export type FullState = State & { readonly journal: readonly JournalEntry[] };

type OwnerEnd = Pick<Owner, 'state'> & Partial<Owner>;

/** What is to be done under the lock. */
export interface LockedWork<T> {
  /** The result, when what a waiter reads, meanwhile or with the lock just taken, makes the work needless: it is not even loaded then. */
  readonly needless?: (state: State) => T | undefined;
  /** The result when somebody else holds the lock, which is not waited for then. Default: it is waited for. */
  readonly whenHeld?: () => T;
  /** Must {@link Locked.release} at its end. Its error is thrown on, with what had been applied, once everything is let go. */
  readonly work: (locked: Locked) => Promise<T>;
  /** What the owner row says when the work fails: that a run has failed (the default), or what it said before, where the work is no run. */
  readonly onFailure?: 'failed' | 'as-before';
}

/**
 * Takes the lock, does the work and lets go. Behind a pooler it goes around it where `directConnection` is given; else one transaction
 * holds the lock and does everything. Waits as {@link acquireLock} says; throws EM_CHECK_FAILED on a standby, or where there is no schema.
 */
export async function underLock<T>(opened: Opened, work: LockedWork<T>): Promise<T> {
  return await aroundPooler(opened, async (direct) => await takeTheLock(direct, work));
}

async function takeTheLock<T>(opened: Opened, { needless, whenHeld, work, onFailure }: LockedWork<T>): Promise<T> {
  const place = placeOf(opened);
  const { call, session, scope } = place;
  await session.hold(scope === 'session' ? 'direct' : 'pooled', opened.history.facts);
  let result: T | undefined;
  const isNeedless = async (seen: History) => (result = needless?.(await readState({ ...place, history: seen }))) !== undefined;
  const settled = async (seen: History) => (result = whenHeld?.()) !== undefined || (await isNeedless(seen));
  for (;;) {
    const history = await call.report.phase('lock', () => acquireLock({ ...place, settled }));
    if (!history.locked) return result as T;
    const locked = new Locked(place, history);
    try {
      if (!(await isNeedless(history))) return await work(locked);
      await locked.release(); // woken by a holder that has done it all
      return result as T;
    } catch (error) {
      if (error instanceof LockGivenUp) continue;
      const told = asMigrationError(call, await asHindered(locked, error));
      await locked.releaseFailed(told, onFailure);
      throw withOutcome(locked.backup === undefined ? told : withLine(told, `backup: ${locked.backup}`), locked.failedOutcome());
    }
  }
}

/** Where the lock is, and what was read before it. */
interface Place extends Opened {
  /** With their schema written out. */
  readonly tables: Tables;
  readonly key: LockKey;
  /** `xact` behind a pooler: the lock lives in the one transaction that does everything. */
  readonly scope: 'session' | 'xact';
}

function placeOf(opened: Opened): Place {
  const { facts } = opened.history;
  if (facts.inRecovery) throw isStandby(facts.database);
  const tables = resolved(opened);
  if (tables.schema === undefined) throw noSchema();
  refuseOtherPath(opened.call.config.searchPath?.[0], facts);
  return { ...opened, tables, key: lockKey(facts, tables), scope: isPooled(opened) ? 'xact' : 'session' };
}

// Said before the lock: on a standby an advisory lock is local and excludes nobody.
function isStandby(database: string): MigrationError {
  return new MigrationError('EM_CHECK_FAILED', `the server of "${database}" is a standby, which accepts no writes`, {
    remedy: 'Point the connection at the primary (the writer endpoint), or use the mode `verify` or `wait` here.',
  });
}

function noSchema(): MigrationError {
  return new MigrationError('EM_CHECK_FAILED', 'no schema of the search_path exists, so there is no place for the history table', {
    remedy: 'Create the schema, correct the search_path of the role, or give `migrations.schemaName`.',
  });
}

// The server passes over what is not there: the migrations would make their tables in the next schema of the path, which may be everybody's.
function refuseOtherPath(first: string | undefined, { schema, user }: History['facts']): void {
  if (first === undefined || first === schema || first === '$user') return;
  const where = schema === null ? 'nowhere' : `to the schema "${schema}"`;
  const what = `the schema "${first}", the first of searchPath, does not exist, or the role "${user}" may not use it: new tables would go ${where}`;
  throw new MigrationError('EM_CHECK_FAILED', what, {
    remedy: `Create it (a tenant's: createTenant), or run: grant usage, create on schema ${identifier(first)} to ${identifier(user)}; Nothing was changed.`,
  });
}

/** The lock, held: what the work under it reads, claims, finds and lets go. What was read before it was a hint; what is read here is the truth. */
export class Locked {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  readonly tables: Tables;
  readonly key: LockKey;
  readonly scope: 'session' | 'xact';
  /** What was found so far, for the outcome. */
  readonly findings: Finding[] = [];
  /** What was applied so far. */
  readonly applied: AppliedMigration[] = [];
  /** Of the state before the first change, once it was taken; the outcome and every later failure name it. */
  backup: string | undefined;
  /** What was taken back so far. */
  readonly reverted: AppliedMigration[] = [];
  private claimed: Claimed | undefined;
  private released = false;

  constructor(
    place: Place,
    /** As the message that took the lock has read it. */
    readonly history: History,
  ) {
    ({
      call: this.call,
      session: this.session,
      migrations: this.migrations,
      tables: this.tables,
      key: this.key,
      scope: this.scope,
    } = place);
  }

  /** Whether there is a claim; behind a pooler it is committed with all else. */
  get isClaimed(): boolean {
    return this.claimed !== undefined;
  }

  /** Compares with the journal. `resumable` tells which unfinished migrations can simply be run again, and count as pending then. */
  async readState(
    history: History,
    resumable: (entries: readonly JournalEntry[]) => Promise<ReadonlySet<string>> = () => Promise.resolve(new Set<string>()),
  ): Promise<FullState> {
    const { call, session, migrations, tables } = this;
    return await readState({ call, session, migrations, tables, history, resumable });
  }

  async reread(): Promise<History> {
    return await readHistory(this.session, this.tables);
  }

  /**
   * Makes the history ours: knex's own lock row is set, the owner row says who we are; see {@link claimHistory}. What was unsound before goes
   * with the claim: when a run ends badly, the next one still knows what that run has to answer for.
   */
  async claim({ owner, facts }: History): Promise<Claimed> {
    const { call, session, tables, scope } = this;
    const { readUnsound } = await import('./verify.js'); // who only waits has no need of the checks behind it
    const before = (owner?.state === 'clear' ? undefined : (owner?.before as Unsound | undefined)) ?? (await readUnsound(session));
    const claim = await call.report.phase('lock', () => claimHistory({ call, session, tables, facts, scope, before }));
    return (this.claimed = { ...claim, owner: { ...claim.owner, before } });
  }

  /** Keeps findings for the outcome; throws them all when one of them is an error. */
  refuse(
    code: 'EM_OUT_OF_SYNC' | 'EM_CHECK_FAILED' | 'EM_VERIFY_FAILED' | 'EM_PLAN_REFUSED',
    what: string,
    found: readonly Finding[],
  ): void {
    this.findings.push(...found);
    if (errorsOf(found).length > 0) throw findingsError(code, what, this.findings);
  }

  /** The owner row as the lock found it, for a work that is no run: how the last run ended is not for it to say. */
  asBefore(): OwnerEnd {
    const { owner } = this.history;
    return owner ? { before: undefined, ...owner } : { state: 'clear', before: undefined };
  }

  /** Lets go of the lock. After a claim `end` says what the owner row keeps; all that the work wrote behind a pooler commits with it. */
  async release(end?: OwnerEnd): Promise<void> {
    const { call, session, tables, key, scope, claimed } = this;
    await call.report.phase('release', async () => {
      const inTransaction = session.wire.status === 'T';
      const begin = `${inTransaction ? '' : 'begin;'} ${session.renderOwn()}`;
      const unclaim = (ended: OwnerEnd, { owner }: Claimed) => `${begin} ${renderUnclaim(tables, owner, { ...owner, ...ended })} commit;`;
      const first = claimed && end ? unclaim(end, claimed) : inTransaction ? 'rollback;' : '';
      await session.send(`${first}\n${renderRelease(key, scope)}`);
    });
    this.released = true;
  }

  /** The failure is what the caller must hear of: what goes wrong here is logged, and the next boot heals it. */
  async releaseFailed({ code: errorCode }: MigrationError, as: LockedWork<unknown>['onFailure'] = 'failed'): Promise<void> {
    const { call, session } = this;
    if (this.released || session.wire.lost) return;
    try {
      if (session.wire.status !== 'I') await session.send('rollback');
      if (as === 'failed') await this.rememberGoodSteps();
      const rolledBack = this.scope === 'xact' && this.applied.length + this.reverted.length === 0; // the claim went with the transaction
      const end = as === 'failed' ? { state: as, errorCode } : this.asBefore();
      await this.release(this.claimed && !rolledBack ? end : undefined);
    } catch (failure) {
      call.report.warn('release.failed', { reason: messageOf(failure) });
    }
  }

  // What a run has done before it failed is no drift for the next one; what somebody does by hand until then is. Who was told to stop is in a hurry.
  private async rememberGoodSteps(): Promise<void> {
    const { call, session, tables } = this;
    if (this.scope === 'xact' || this.applied.length + this.reverted.length === 0 || call.stop.aborted) return;
    try {
      const { rememberSchema } = await import('./drift.js');
      const { applied = [] } = await this.reread();
      await rememberSchema({ call, session, tables, applied });
    } catch (failure) {
      call.report.warn('drift.skipped', { reason: messageOf(failure) });
    }
  }

  failedOutcome(): FailedOutcome {
    const { call, history, applied, reverted, backup, findings } = this;
    const { applied: before = [] } = history;
    const to = applied.at(-1)?.name ?? before.slice(0, before.length - reverted.length).at(-1);
    return failedOutcomeOf(call, { from: before.at(-1), to, applied, backup, findings, ...(reverted.length > 0 && { reverted }) });
  }

  outcome(status: Outcome['status'], from: string | undefined, to?: string): Outcome {
    const { applied, backup, findings } = this;
    return outcomeOf(this.call, { status, from, to, applied, backup, findings });
  }
}
