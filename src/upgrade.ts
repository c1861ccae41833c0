import { digestAfter, recordAdoption, type Adoption } from './adopt.js';
import { applyPlan, loadMigrations, readResumable, type Resumable } from './apply/index.js';
import { runChecks } from './checks/index.js';
import { isOther } from './claim.js';
import { describeDrift, rememberSchema } from './drift.js';
import { MigrationError } from './errors.js';
import type { Finding } from './finding.js';
import { checkGates, openGate } from './gate.js';
import type { History } from './history/index.js';
import type { LiveLint } from './lint/index.js';
import { settleLastRun } from './last-run.js';
import { nothingToDo, type Outcome } from './outcome.js';
import { planUpgrade, selectPending, type Plan, type Step, type Target } from './plan.js';
import type { Migration } from './source/index.js';
import { baselineOf, withoutStamped, withoutUnmanaged } from './state.js';
import type { Claimed, FullState, Locked } from './under-lock.js';
import { verifyRun } from './verify.js';
import { startWatch } from './watch.js';

/** Under the lock: checks, applies what is pending up to the target, verifies and lets go. Throws what it refuses; see docs/errors.md. */
export async function upgrade(locked: Locked, target: Target): Promise<Outcome> {
  return await new Upgrade(locked, target).run(locked.history);
}

class Upgrade {
  private resumed: Resumable = new Map();

  constructor(
    private readonly locked: Locked,
    private readonly target: Target,
  ) {}

  async run(history: History): Promise<Outcome> {
    const { locked } = this;
    locked.findings.length = 0;
    const state = await locked.readState(history, async (journal) => {
      this.resumed = await readResumable(locked, 'up', journal);
      return new Set(this.resumed.keys());
    });
    const stamped = baselineOf(locked.call.config, state, locked.migrations);
    locked.refuse('EM_OUT_OF_SYNC', 'the database does not match this code', withoutUnmanaged(state.findings, stamped));
    const pending = withoutStamped(selectPending(this.target, state, locked.migrations), stamped);
    if (pending.length === 0 && stamped.length === 0) {
      await settleLastRun(locked, state, history);
      return nothingToDo(locked.call, state);
    }
    const checked = await this.check(history, pending, state);
    if (pending.length > 0 && (await this.backUp(state, history)) === 'outdated') return await this.run(await locked.reread());
    const claim = await locked.claim(history);
    if (isOther(claim.applied, state.applied)) {
      // knex ran in between. A backup that is taken now would have the claim in it.
      if (locked.backup !== undefined) {
        await locked.release(locked.asBefore());
        throw outdated(locked.backup);
      }
      return await this.run(await locked.reread());
    }
    return await this.apply({ state, stamped, ...checked, claim }, history);
  }

  private async check(history: History, pending: readonly Migration[], state: FullState): Promise<Checked> {
    const { locked } = this;
    const { call, session, tables } = locked;
    const { transaction, migrations } = call.config;
    return await call.report.phase('check', async () => {
      const loaded = await loadMigrations(call, pending, 'up');
      const pooled = locked.scope === 'xact';
      const { disableTransactions } = migrations;
      const plan = planUpgrade({
        pending: loaded,
        applied: state.applied,
        migrations: locked.migrations,
        transaction,
        disableTransactions,
        pooled,
      });
      const { facts, applied, journal } = history;
      const findings = await runChecks({ call, session, facts, tables, applied, journal, pending: loaded, direction: 'up', pooled });
      const gates = await checkGates({ call, session, tables, history, pending: loaded, transaction: plan.transaction });
      const drift = await describeDrift({ call, session, tables, applied: state.applied, history });
      const { lintPlan, withoutRepeated } = await import('./lint-plan.js');
      const lint = await lintPlan(locked, plan);
      locked.refuse('EM_CHECK_FAILED', 'refused before anything was changed', [
        ...findings,
        ...withoutRepeated(lint?.findings ?? [], findings),
        ...gates,
        ...drift,
      ]);
      const names = plan.steps.map(({ name }) => name);
      call.report.info('plan.made', { of: plan.steps.length, transaction: plan.transaction, migrations: names });
      return { plan, lint: lint?.live };
    });
  }

  // Before the claim: what is restored from it must not look like a database that somebody is migrating.
  private async backUp(state: FullState, { facts }: History): Promise<'outdated' | 'current'> {
    const { call, session, scope } = this.locked;
    const settings = call.config.backup;
    if (!settings) return 'current';
    const { takeBackup } = await import('./backup/index.js');
    const request = { call, session, scope, facts, revision: state.revision };
    const { name } = await call.report.phase('backup', async () => await takeBackup(settings, request));
    this.locked.backup = name;
    if (scope === 'xact') return 'current'; // a table that is missing would fail the one transaction; the claim compares too
    const { applied = [] } = await this.locked.reread();
    return isOther(applied, state.applied) ? 'outdated' : 'current';
  }

  private async apply({ state, stamped, plan, lint, claim }: Work, history: History): Promise<Outcome> {
    const { locked } = this;
    const { call, session, tables, key, scope, migrations } = locked;
    const { backendPid } = history.facts;
    const adoption = this.adoptionOf(state, stamped);
    await recordAdoption(adoption);
    await using watch = await startWatch({ call, session, backendPid, pooled: scope === 'xact' });
    const onFound = (found: readonly Finding[]) => locked.findings.push(...found);
    const keeping = { call, session, tables, history, scope, migrations };
    const gate = async (step: Step) => await openGate(keeping, step);
    const applying = { call, session, tables, key, scope, claim, plan, watch, lint, onFound, openGate: gate };
    await call.report.phase('apply', () => applyPlan(applying, this.resumed, (step) => locked.applied.push(step)));
    const names = [...state.applied, ...stamped.map(({ name }) => name), ...plan.steps.map(({ name }) => name)];
    await this.verify(claim, names);
    await rememberSchema({ call, session, tables, applied: names });
    await locked.release({ state: 'clear', before: undefined, ...digestAfter(adoption, plan, names) });
    return locked.outcome('migrated', state.revision, names.at(-1));
  }

  private async verify({ owner: { before } }: Claimed, expected: readonly string[]): Promise<void> {
    const { call, session, tables } = this.locked;
    const findings = await call.report.phase('verify', () => verifyRun({ call, before, session, tables, expected }));
    this.locked.refuse('EM_VERIFY_FAILED', 'the migrations ran, and this is wrong now', findings);
  }

  private adoptionOf(state: FullState, stamped: readonly Migration[]): Adoption {
    const { call, session, tables, migrations } = this.locked;
    return { call, session, tables, migrations, state, stamped };
  }
}

interface Checked {
  readonly plan: Plan;
  readonly lint: LiveLint | undefined;
}

interface Work extends Checked {
  readonly state: FullState;
  readonly stamped: readonly Migration[];
  readonly claim: Claimed;
}

function outdated(backup: string): MigrationError {
  return new MigrationError('EM_BACKUP_FAILED', `knex has migrated this database since the backup was taken (${backup})`, {
    remedy: 'Start the service again: it takes another backup first. Nothing was changed by this call.',
  });
}
