import { applyPlan, canResume, type AppliedStep } from './apply/index.js';
import { digestAfter, recordAdoption, type Adoption } from './adopt.js';
import type { Call } from './call.js';
import { runChecks } from './checks/index.js';
import { describeDrift, rememberSchema } from './drift.js';
import { findingsError, isMigrationError, messageOf, MigrationError, withOutcome } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import {
  claimHistory,
  readHistory,
  readStatements,
  renderUnclaim,
  type Claim,
  type History,
  type JournalEntry,
  type LockKey,
  type Tables,
} from './history/index.js';
import { acquireLock, lockKey, renderRelease } from './lock.js';
import { nothingToDo, outcomeOf, type Outcome } from './outcome.js';
import { planUpgrade, type Plan } from './plan.js';
import { inSchema, readState } from './read-state.js';
import { openSession, type Session } from './session/index.js';
import type { Migration } from './source/index.js';
import { baselineOf, type State } from './state.js';
import { readUnsound, verifyRun } from './verify.js';
import { startWatch } from './watch.js';

export interface MigrateRequest {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  readonly tables: Tables;
  readonly history: History;
}

/**
 * Takes the lock, reads everything again, checks, applies, verifies and lets go. Behind a pooler it goes around it where
 * `directConnection` is given; else one transaction holds the lock and does everything.
 */
export async function migrateUnderLock(request: MigrateRequest): Promise<Outcome> {
  const { call, session, history } = request;
  const pooled = session.wire.processId !== history.facts.backendPid;
  if (!pooled || !call.config.directConnection) return await new Holding(request, pooled ? 'xact' : 'session').run();
  await using direct = await call.report.phase('connect', () => openSession(call, 'directConnection'));
  const seen = await readHistory(direct, request.tables);
  return await new Holding(
    { ...request, session: direct, history: seen },
    direct.wire.processId === seen.facts.backendPid ? 'session' : 'xact',
  ).run();
}

type FullState = State & { readonly journal: readonly JournalEntry[] };

/** What happens while the lock is held, top to bottom. What was read before it was a hint; what is read here is the truth. */
class Holding {
  private readonly tables: Tables;
  private readonly key: LockKey;
  private readonly applied: AppliedStep[] = [];
  private readonly findings: Finding[] = [];
  private claim: Claim | undefined;
  private resumed: ReadonlySet<string> = new Set();

  constructor(
    private readonly request: MigrateRequest,
    private readonly scope: 'session' | 'xact',
  ) {
    const { facts } = request.history;
    const schema = request.tables.schema ?? facts.schema;
    if (schema === null) throw noSchema();
    this.tables = inSchema(request.tables, schema);
    this.key = lockKey(facts, this.tables, schema);
  }

  async run(): Promise<Outcome> {
    const { call, session } = this.request;
    await session.hold(this.scope === 'session' ? 'direct' : 'pooled');
    const lock = await call.report.phase('lock', () =>
      acquireLock({
        call,
        session,
        tables: this.tables,
        key: this.key,
        scope: this.scope,
        settled: async (history) => (await this.look(history)).inSync,
      }),
    );
    if (!lock.taken) return nothingToDo(call, await this.look(lock.history));
    try {
      return await this.work(lock.history);
    } catch (error) {
      await this.releaseFailed(error);
      throw isMigrationError(error) ? withOutcome(error, this.outcome('migrated', undefined)) : error;
    }
  }

  private async work(history: History): Promise<Outcome> {
    const state = await this.readFully(history);
    const stamped = baselineOf(this.request.call.config, state, this.request.migrations);
    this.refuse('EM_OUT_OF_SYNC', 'the database does not match this code', withoutUnmanaged(state.findings, stamped));
    const pending = state.pending.filter((migration) => !stamped.includes(migration));
    if (pending.length === 0 && stamped.length === 0) return await this.settle(state);
    const plan = await this.check(history, pending, state);
    const claim = await this.request.call.report.phase('lock', () => claimHistory(this.claimRequest(history)));
    this.claim = claim;
    if (claim.applied.join('\n') !== state.applied.join('\n')) return await this.work(await this.reread()); // knex ran in between
    return await this.apply({ state, stamped, plan, claim }, history);
  }

  private async apply({ state, stamped, plan, claim }: Work, history: History): Promise<Outcome> {
    const { call, session, migrations } = this.request;
    const before = await readUnsound(session);
    const adoption: Adoption = { call, session, tables: this.tables, migrations, state, stamped };
    await recordAdoption(adoption);
    await using watch = await startWatch({ call, session, backendPid: history.facts.backendPid, pooled: this.scope === 'xact' });
    const applying = { call, session, tables: this.tables, key: this.key, scope: this.scope, claim, plan, watch };
    await call.report.phase('apply', () => applyPlan(applying, this.resumed, (step) => this.applied.push(step)));
    const names = [...state.applied, ...stamped.map(({ name }) => name), ...plan.steps.map(({ name }) => name)];
    await call.report.phase('verify', () => this.verify(before, names));
    await rememberSchema({ call, session, tables: this.tables });
    await this.release({ ...claim.owner, state: 'clear', ...digestAfter(adoption, plan, names) });
    return this.outcome('migrated', state.revision, names.at(-1));
  }

  private async verify(before: Awaited<ReturnType<typeof readUnsound>>, expected: readonly string[]): Promise<void> {
    const { session } = this.request;
    this.refuse(
      'EM_VERIFY_FAILED',
      'the migrations ran, and this is wrong now',
      await verifyRun({ call: this.request.call, before, session, tables: this.tables, expected }),
    );
  }

  // Nothing to apply: the last run failed after its last migration, or died before it could say that all is well.
  private async settle(state: FullState): Promise<Outcome> {
    const { call, session, migrations } = this.request;
    if (!state.settled) {
      const unsound = await readUnsound(session);
      await call.report.phase('verify', () => this.verify(unsound, state.applied));
      const claim = await claimHistory(this.claimRequest(await this.reread()));
      this.claim = claim;
      const adoption: Adoption = { call, session, tables: this.tables, migrations, state, stamped: [] };
      await this.release({ ...claim.owner, state: 'clear', ...digestAfter(adoption, undefined, state.applied) });
    } else {
      await this.release(undefined);
    }
    return nothingToDo(call, state);
  }

  private async check(history: History, pending: readonly Migration[], state: FullState): Promise<Plan> {
    const { call, session } = this.request;
    return await call.report.phase('check', async () => {
      const loaded = await Promise.all(pending.map((migration) => migration.load()));
      const { transaction, migrations } = call.config;
      const pooled = this.scope === 'xact';
      const plan = planUpgrade({
        pending: loaded,
        applied: state.applied,
        transaction,
        disableTransactions: migrations.disableTransactions,
        pooled,
      });
      const { facts, applied, journal } = history;
      const findings = await runChecks({ call, session, facts, tables: this.tables, applied, journal, pending: loaded, pooled });
      const drift = await describeDrift({ call, session, tables: this.tables, journal });
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
    return await readState({ ...this.request, tables: this.tables, history });
  }

  // A migration that stopped half-way is pending again when all that it had sent can be looked up in the catalog.
  private async readFully(history: History): Promise<FullState> {
    const { session } = this.request;
    return await readState({
      ...this.request,
      tables: this.tables,
      history,
      resumable: async (entries) => {
        const resumable = new Set<string>();
        for (const entry of entries.filter(({ detail }) => detail.status === 'started' || detail.status === 'unfinished')) {
          if (canResume(await readStatements(session, this.tables, entry))) resumable.add(entry.migration);
        }
        return (this.resumed = resumable);
      },
    });
  }

  private async reread(): Promise<History> {
    return await readHistory(this.request.session, this.tables);
  }

  private claimRequest({ facts }: History) {
    return { call: this.request.call, session: this.request.session, tables: this.tables, facts, scope: this.scope };
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
        ? [inTransaction ? '' : 'begin;', renderUnclaim(this.tables, owner), 'commit;']
        : [inTransaction ? 'rollback;' : ''];
      await session.send([...unclaim, renderRelease(this.key, this.scope)].join('\n'));
    });
  }

  // The failure is what the caller must hear of: what goes wrong here is logged, and the next boot heals it.
  private async releaseFailed(error: unknown): Promise<void> {
    const { call, session } = this.request;
    if (session.wire.lost) return;
    try {
      if (session.wire.status !== 'I') await session.send('rollback');
      const errorCode = isMigrationError(error) ? error.code : 'EM_INTERNAL';
      const rolledBack = this.scope === 'xact' && this.applied.length === 0; // the claim went with the transaction
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
  readonly claim: Claim;
}

function withoutUnmanaged(findings: readonly Finding[], stamped: readonly Migration[]): Finding[] {
  return findings.filter(({ code }) => stamped.length === 0 || code !== 'history-unmanaged');
}

function noSchema(): MigrationError {
  return new MigrationError('EM_CHECK_FAILED', 'no schema of the search_path exists, so there is no place for the history table', {
    remedy: 'Create the schema, correct the search_path of the role, or give `migrations.schemaName`.',
  });
}
