import { applyPlan, loadMigrations, readResumable, type AppliedStep, type Resumable } from './apply/index.js';
import { digestAfter, recordAdoption, type Adoption } from './adopt.js';
import type { Call } from './call.js';
import { runChecks } from './checks/index.js';
import { describeDrift, rememberSchema } from './drift.js';
import { findingsError, isMigrationError, messageOf, withOutcome } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import {
  claimHistory,
  readHistory,
  renderUnclaim,
  type Claim,
  type History,
  type JournalEntry,
  type LockKey,
  type Tables,
} from './history/index.js';
import { acquireLock, renderRelease } from './lock.js';
import { nothingToDo, outcomeOf, type Outcome } from './outcome.js';
import { planUpgrade, type Plan } from './plan.js';
import { readState } from './read-state.js';
import type { Session } from './session/index.js';
import type { Migration } from './source/index.js';
import { baselineOf, type State } from './state.js';
import { readUnsound, verifyRun, type Unsound } from './verify.js';
import { startWatch } from './watch.js';

type Claimed = Claim & { readonly owner: { readonly before: Unsound } };
type FullState = State & { readonly journal: readonly JournalEntry[] };

/** What the work under the lock stands on. */
export interface UnderLockRequest {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  /** With their schema written out. */
  readonly tables: Tables;
  readonly key: LockKey;
  /** `xact` behind a pooler: the lock lives in the one transaction that does everything. */
  readonly scope: 'session' | 'xact';
  /** What was read before the lock. */
  readonly history: History;
}

/** What happens while the lock is held, top to bottom. What was read before it was a hint; what is read here is the truth. */
export class UnderLock {
  private readonly applied: AppliedStep[] = [];
  private readonly findings: Finding[] = [];
  private claim: Claimed | undefined;
  private resumed: Resumable = new Map();

  constructor(private readonly request: UnderLockRequest) {}

  async run(): Promise<Outcome> {
    const { call, session, scope, history } = this.request;
    await session.hold(scope === 'session' ? 'direct' : 'pooled', history.facts);
    const settled = async (seen: History) => (await this.look(seen)).inSync;
    const lock = await call.report.phase('lock', () => acquireLock({ ...this.request, settled }));
    if (!lock.taken) return nothingToDo(call, await this.look(lock.history));
    try {
      return await this.work(lock.history);
    } catch (error) {
      await this.releaseFailed(error);
      throw isMigrationError(error) ? withOutcome(error, this.outcome('migrated', undefined)) : error;
    }
  }

  private async work(history: History): Promise<Outcome> {
    this.findings.length = 0;
    const state = await this.readFully(history);
    const stamped = baselineOf(this.request.call.config, state, this.request.migrations);
    this.refuse('EM_OUT_OF_SYNC', 'the database does not match this code', withoutUnmanaged(state.findings, stamped));
    const pending = state.pending.filter((migration) => !stamped.includes(migration));
    if (pending.length === 0 && stamped.length === 0) return await this.settle(state, history);
    const plan = await this.check(history, pending, state);
    const claim = await this.request.call.report.phase('lock', () => this.takeClaim(history));
    if (claim.applied.join('\n') !== state.applied.join('\n')) return await this.work(await this.reread()); // knex ran in between
    return await this.apply({ state, stamped, plan, claim }, history);
  }

  private async apply({ state, stamped, plan, claim }: Work, history: History): Promise<Outcome> {
    const { call, session, migrations } = this.request;
    const { before } = claim.owner;
    const adoption: Adoption = { call, session, tables: this.request.tables, migrations, state, stamped };
    await recordAdoption(adoption);
    await using watch = await startWatch({ call, session, backendPid: history.facts.backendPid, pooled: this.request.scope === 'xact' });
    const applying = { call, session, tables: this.request.tables, key: this.request.key, scope: this.request.scope, claim, plan, watch };
    await call.report.phase('apply', () => applyPlan(applying, this.resumed, (step) => this.applied.push(step)));
    const names = [...state.applied, ...stamped.map(({ name }) => name), ...plan.steps.map(({ name }) => name)];
    await call.report.phase('verify', () => this.verify(before, names));
    await rememberSchema({ call, session, tables: this.request.tables, applied: names });
    await this.release({ ...claim.owner, before: undefined, state: 'clear', ...digestAfter(adoption, plan, names) });
    return this.outcome('migrated', state.revision, names.at(-1));
  }

  private async verify(before: Unsound, expected: readonly string[]): Promise<void> {
    const { session } = this.request;
    this.refuse(
      'EM_VERIFY_FAILED',
      'the migrations ran, and this is wrong now',
      await verifyRun({ call: this.request.call, before, session, tables: this.request.tables, expected }),
    );
  }

  // Nothing to apply: the last run failed after its last migration, or died before it could say that all is well.
  private async settle(state: FullState, history: History): Promise<Outcome> {
    const { call, session, migrations } = this.request;
    if (!state.settled) {
      const claim = await this.takeClaim(history);
      await call.report.phase('verify', () => this.verify(claim.owner.before, claim.applied));
      const adoption: Adoption = { call, session, tables: this.request.tables, migrations, state, stamped: [] };
      await this.release({ ...claim.owner, before: undefined, state: 'clear', ...digestAfter(adoption, undefined, claim.applied) });
    } else {
      await this.release(undefined);
    }
    return nothingToDo(call, state);
  }

  // What was unsound before goes with the claim: when a run ends badly, the next one still knows what that run has to answer for.
  private async takeClaim(history: History): Promise<Claimed> {
    const { session } = this.request;
    const { owner } = history;
    const before = (owner?.state === 'clear' ? undefined : (owner?.before as Unsound | undefined)) ?? (await readUnsound(session));
    const claim = await claimHistory(this.claimRequest(history));
    return (this.claim = { ...claim, owner: { ...claim.owner, before } });
  }

  private async check(history: History, pending: readonly Migration[], state: FullState): Promise<Plan> {
    const { call, session } = this.request;
    return await call.report.phase('check', async () => {
      const loaded = await loadMigrations(call, pending);
      const { transaction, migrations } = call.config;
      const pooled = this.request.scope === 'xact';
      const plan = planUpgrade({
        pending: loaded,
        applied: state.applied,
        transaction,
        disableTransactions: migrations.disableTransactions,
        pooled,
      });
      const { facts, applied, journal } = history;
      const findings = await runChecks({ call, session, facts, tables: this.request.tables, applied, journal, pending: loaded, pooled });
      const drift = await describeDrift({ call, session, tables: this.request.tables, applied: state.applied, journal });
      this.refuse('EM_CHECK_FAILED', 'refused before anything was changed', [...findings, ...drift]);
      call.report.info('plan.made', {
        of: plan.steps.length,
        transaction: plan.transaction,
        migrations: plan.steps.map(({ name }) => name),
      });
      return plan;
    });
  }

  private async look(history: History): Promise<State> {
    return await readState({ ...this.request, tables: this.request.tables, history });
  }

  // A migration that stopped half-way is pending again when all that it had sent can be looked up in the catalog.
  private async readFully(history: History): Promise<FullState> {
    const { session } = this.request;
    return await readState({
      ...this.request,
      tables: this.request.tables,
      history,
      resumable: async (journal) => new Set((this.resumed = await readResumable(session, this.request.tables, journal)).keys()),
    });
  }

  private async reread(): Promise<History> {
    return await readHistory(this.request.session, this.request.tables);
  }

  private claimRequest({ facts }: History) {
    return { call: this.request.call, session: this.request.session, tables: this.request.tables, facts, scope: this.request.scope };
  }

  private refuse(code: 'EM_OUT_OF_SYNC' | 'EM_CHECK_FAILED' | 'EM_VERIFY_FAILED', what: string, findings: readonly Finding[]): void {
    this.findings.push(...findings);
    if (errorsOf(findings).length > 0) throw findingsError(code, what, this.findings);
  }

  private async release(owner: Claim['owner'] | undefined): Promise<void> {
    const { call, session } = this.request;
    await call.report.phase('release', async () => {
      const inTransaction = session.wire.status === 'T';
      const unclaim = owner
        ? [inTransaction ? '' : 'begin;', renderUnclaim(this.request.tables, owner), 'commit;']
        : [inTransaction ? 'rollback;' : ''];
      await session.send([...unclaim, renderRelease(this.request.key, this.request.scope)].join('\n'));
    });
  }

  // The failure is what the caller must hear of: what goes wrong here is logged, and the next boot heals it.
  private async releaseFailed(error: unknown): Promise<void> {
    const { call, session } = this.request;
    if (session.wire.lost) return;
    try {
      if (session.wire.status !== 'I') await session.send('rollback');
      const errorCode = isMigrationError(error) ? error.code : 'EM_INTERNAL';
      const rolledBack = this.request.scope === 'xact' && this.applied.length === 0; // the claim went with the transaction
      await this.release(this.claim && !rolledBack ? { ...this.claim.owner, state: 'failed', errorCode } : undefined);
    } catch (failure) {
      call.report.warn('release.failed', { reason: messageOf(failure) });
    }
  }

  private outcome(status: Outcome['status'], from: string | undefined, to?: string): Outcome {
    return outcomeOf(this.request.call, { status, from, to, applied: this.applied, findings: this.findings });
  }
}

interface Work {
  readonly state: FullState;
  readonly stamped: readonly Migration[];
  readonly plan: Plan;
  readonly claim: Claimed;
}

function withoutUnmanaged(findings: readonly Finding[], stamped: readonly Migration[]): Finding[] {
  return findings.filter(({ code }) => stamped.length === 0 || code !== 'history-unmanaged');
}
