import { isMigrationError, messageOf, sqlStateOf, type MigrationError } from '../errors.js';
import { renderPossession } from '../lock.js';
import type { AppliedMigration } from '../outcome.js';
import type { Step } from '../plan.js';
import type { Failure } from '../step/index.js';
import { StepFailed, type Applying, type Run } from './applying.js';
import { backOff } from './blocked.js';
import { guardExit } from './exit-guard.js';
import { runHook } from './hooks.js';
import { explainLostCommit } from './lost-commit.js';
import { renderEnded, renderFirstOwner, renderReset } from './messages.js';
import type { Resumable } from './settle.js';
import { runStandalone } from './standalone.js';
import { runInTransaction } from './transaction.js';

export { guardExit, loadMigrations } from './exit-guard.js';
export { placeOf } from './place.js';
export { readResumable, tellSent, type Resumable, type ToldStatement } from './settle.js';

/**
 * Runs a plan, one group of steps after the other; a group is one transaction, or one migration outside of any.
 * `onApplied` hears of each step once it is committed. Throws the error of the first step that fails; what came before it stays.
 */
export async function applyPlan(applying: Applying, resumed: Resumable, onApplied: (step: AppliedMigration) => void): Promise<void> {
  const { plan, call, session } = applying;
  if (plan.steps.length === 0) return; // a baseline at head; knex calls no hook either
  await session.send(renderFirstOwner(applying));
  const outside = plan.transaction === 'each'; // else they are called in the transaction of the set, as by knex
  if (outside) await runHook(applying, 'beforeAll');
  for (const group of groupsOf(applying)) {
    call.stop.throwIfAborted();
    await openGates(applying, group);
    for (const run of await applyGroup(applying, group, resumed)) onApplied(told(applying, run));
  }
  if (outside) await runHook(applying, 'afterAll');
}

// The code of a backfill may leave settings behind, as that of a migration may.
async function openGates(applying: Applying, group: Group): Promise<void> {
  for (const step of group) {
    if ((await applying.openGate?.(step)) === 'worked') await applying.session.send(renderReset(applying).join('\n'));
  }
}

type Group = readonly [Step, ...Step[]];

function groupsOf({ plan: { steps, transaction } }: Applying): readonly Group[] {
  const [first, ...others] = steps;
  return transaction === 'all' && first ? [[first, ...others]] : steps.map((step) => [step]);
}

async function applyGroup(applying: Applying, group: Group, resumed: Resumable): Promise<readonly Run[]> {
  using _guard = guardExit(applying.call, group);
  const [first] = group;
  for (let tries = 1; ; tries++) {
    try {
      if (!first.transaction) return await runStandalone(applying, first, resumed.get(first.migration.id));
      return await runInTransaction(applying, group, tries);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      if (!error.kind.blockers) throw await journalled(applying, error);
      await backOffOr(applying, error, { step: first, tries });
    }
  }
}

// Without the patience for another try the last one stands in the journal, as any that has failed.
async function backOffOr(applying: Applying, { runs, kind }: StepFailed, first: Pick<Run, 'step' | 'tries'>): Promise<void> {
  try {
    await backOff(applying, runs.at(-1) ?? first, kind.blockers ?? { pids: [] });
  } catch (final) {
    throw isMigrationError(final) ? await journalled(applying, new StepFailed(runs, final, kind)) : final;
  }
}

// What happened stands in the journal, unless the session that would write it is gone.
async function journalled(applying: Applying, { runs, error, kind }: StepFailed): Promise<MigrationError> {
  const { session, call, scope } = applying;
  const run = runs.at(-1);
  if (!run) return error;
  const cause = causeOf(kind.failure, error);
  call.report.error('step.failed', { migration: run.step.name, code: error.code, tries: run.tries, ...cause });
  if (kind.committing && session.wire.lost) return await explainLostCommit(applying, run, error);
  if (session.wire.lost || (scope === 'xact' && !kind.leftBehind)) return error;
  const status = kind.leftBehind ? 'unfinished' : run.step.transaction ? 'failed' : 'undone';
  const alike = kind.leftBehind ? runs : [run]; // what came before it in its transaction was committed with it
  // Who has lost the lock may have a successor: a word on a migration outside a transaction would settle what that one has announced.
  const proof = run.step.transaction ? [] : [renderPossession(applying.key)];
  try {
    await session.send([...proof, ...alike.map((each) => renderEnded(applying, each, { status, ...cause }))].join('\n'));
  } catch (failure) {
    call.report.warn('step.unrecorded', { migration: run.step.name, reason: messageOf(failure) });
  }
  return error;
}

// A data exception, a syntax error and whatever a migration raised itself can hold values: then the code has to do.
function causeOf(failure: Failure | undefined, error: MigrationError) {
  const sqlState = sqlStateOf(failure?.error);
  const { routine } = (failure?.error ?? {}) as { routine?: string };
  const holdsValues = sqlState === undefined || /^(22...|P0...|42601)$/.test(sqlState) || routine === 'exec_stmt_raise';
  return { sqlState, message: holdsValues ? error.code : messageOf(failure?.error) };
}

function told(applying: Applying, run: Run): AppliedMigration {
  const { step, durationMs, tries } = run;
  const { report } = applying.call;
  const fields = { migration: step.name, step: step.number, of: step.of, ms: durationMs, tries };
  if (step.direction === 'up') report.info('step.applied', fields);
  else report.info('step.reverted', fields);
  return { name: step.name, durationMs, tries, batch: applying.claim.batch };
}
