import { digestOfHistory, recordedChecksums } from './adopt.js';
import { applyPlan, loadMigrations, readResumable, type Resumable } from './apply/index.js';
import { runChecks } from './checks/index.js';
import { isOther } from './claim.js';
import { describeDrift, rememberSchema } from './drift.js';
import { MigrationError } from './errors.js';
import type { Finding } from './finding.js';
import { settleLastRun } from './last-run.js';
import { nothingToDo, outcomeOf, type Outcome } from './outcome.js';
import { planDowngrade, selectApplied, targetAmong, type Plan, type Target } from './plan.js';
import { migrationId, type LoadedMigration, type Migration } from './source/index.js';
import { squashOf } from './squashed.js';
import type { State } from './state.js';
import type { Claimed, FullState, Locked } from './under-lock.js';
import { verifyRun } from './verify.js';
import { startWatch } from './watch.js';

/** One applied migration that is to be taken back, by the name that the history has. */
export interface Undone {
  readonly name: string;
  readonly migration: LoadedMigration;
}

export interface DowngradeRequest {
  readonly target: Target;
  /** What was shown and confirmed, newest first: when something else would be taken back by now, nothing is. */
  readonly confirmed: readonly string[];
  /** What was told of it; goes into the outcome. */
  readonly losses: readonly Finding[];
}

/**
 * Under the lock: takes applied migrations back down to the target, newest first, each with its `down` and its history row in one
 * transaction, verifies and lets go. Throws what it refuses before the first one; see docs/errors.md.
 */
export async function downgrade(locked: Locked, { target, confirmed, losses }: DowngradeRequest): Promise<Outcome> {
  locked.findings.push(...losses);
  let resumed: Resumable = new Map();
  const state = await locked.readState(locked.history, async (journal) => {
    resumed = await readResumable(locked, 'down', journal);
    return new Set(resumed.keys());
  });
  locked.refuse('EM_OUT_OF_SYNC', 'the database does not match this code', standingInTheWay(state));
  const plan = await check(locked, state, target);
  const names = plan.steps.map(({ name }) => name);
  if (isOther(confirmed, names)) throw changedMeanwhile();
  if (names.length === 0) {
    await settleLastRun(locked, state, locked.history);
    return nothingToDo(locked.call, state);
  }
  const claim = await locked.claim(locked.history);
  if (isOther(state.applied, claim.applied)) {
    await locked.release(locked.asBefore()); // no run has begun that could have failed
    throw changedMeanwhile();
  }
  return await takeBack(locked, { state, plan, claim, resumed });
}

interface Work {
  readonly state: FullState;
  readonly plan: Plan;
  readonly claim: Claimed;
  readonly resumed: Resumable;
}

async function takeBack(locked: Locked, { state, plan, claim, resumed }: Work): Promise<Outcome> {
  const { call, session, tables, key, scope, history, findings } = locked;
  const { backendPid } = history.facts;
  await using watch = await startWatch({ call, session, backendPid, pooled: scope === 'xact' });
  const applying = { call, session, tables, key, scope, claim, plan, watch };
  await call.report.phase('apply', () => applyPlan(applying, resumed, (step) => locked.reverted.push(step)));
  const left = state.applied.slice(0, -plan.steps.length);
  const unsound = { call, session, tables, before: claim.owner.before, expected: left };
  const found = await call.report.phase('verify', () => verifyRun(unsound));
  locked.refuse('EM_VERIFY_FAILED', 'the migrations were taken back, and this is wrong now', found);
  await rememberSchema({ call, session, tables, applied: left });
  await locked.release({ state: 'clear', before: undefined, ...digestOfHistory(left, recordedChecksums(state.journal)) });
  return outcomeOf(call, { status: 'migrated', from: state.revision, to: left.at(-1), reverted: locked.reverted, findings });
}

// What is pending, or newer than this code, is nothing that a downgrade minds unless it is what would be taken back.
const passedOver = new Set(['history-pending', 'history-ahead', 'history-missing', 'history-out-of-order']);

function standingInTheWay({ findings }: State): Finding[] {
  return findings.filter(({ code }) => !passedOver.has(code));
}

async function check(locked: Locked, state: FullState, target: Target): Promise<Plan> {
  const { call, session, tables, scope, history } = locked;
  const { transaction, migrations } = call.config;
  const pooled = scope === 'xact';
  return await call.report.phase('check', async () => {
    const undone = await loadUndone(locked, target, state);
    const plan = planDowngrade({ undone, transaction, disableTransactions: migrations.disableTransactions, pooled });
    const { facts, applied, journal } = history;
    const pending = undone.map(({ migration }) => migration);
    const findings = await runChecks({ call, session, facts, tables, applied, journal, pending, direction: 'down', pooled });
    const drift = await describeDrift({ call, session, tables, applied: state.applied, history });
    locked.refuse('EM_CHECK_FAILED', 'refused before anything was changed', [...findings, ...drift]);
    return plan;
  });
}

/** What a downgrade to the target would take back, newest first. Imports it; throws EM_PLAN_REFUSED for what is not among the files. */
export async function loadUndone(
  { call, migrations }: Pick<Locked, 'call' | 'migrations'>,
  target: Target,
  { applied }: Pick<State, 'applied'>,
): Promise<Undone[]> {
  const names = selectApplied(targetAmong(target, migrations, applied), applied);
  const byId = new Map(migrations.map((migration) => [migration.id, migration]));
  const found = names.map((name) => byId.get(migrationId(name)));
  const unknown = names.filter((_, index) => found[index] === undefined);
  if (unknown.length > 0) throw notAmongTheFiles(unknown, migrations);
  const loaded = await loadMigrations(call, found as readonly Migration[], 'down');
  return names.map((name, index) => ({ name, migration: loaded[index] as LoadedMigration }));
}

function notAmongTheFiles(names: readonly string[], migrations: readonly Migration[]): MigrationError {
  const squash = names.map((name) => squashOf(name, migrations)?.squash.name).find((name) => name !== undefined);
  const squashed = squash === undefined ? '' : `; ${squash} replaces them, and has not run here`;
  return new MigrationError(
    'EM_PLAN_REFUSED',
    `applied, but not among the files, so that they cannot be taken back: ${names.join(', ')}${squashed}`,
    {
      remedy: 'Run this from the release that has these files. Nothing was changed.',
    },
  );
}

function changedMeanwhile(): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', 'the history has changed since this downgrade was confirmed', {
    remedy: 'Look at what is applied now, and start again. Nothing was changed.',
  });
}
