import { messageOf, sqlStateOf, type MigrationError } from '../errors.js';
import { StepConnection, type Failure } from '../session/index.js';
import type { Step } from '../plan.js';
import { StepFailed, type AppliedStep, type Applying, type Run } from './applying.js';
import { backOff } from './blocked.js';
import { guardExit } from './exit-guard.js';
import { explainLostCommit } from './lost-commit.js';
import { renderEnded, renderFirstOwner } from './messages.js';
import { runStandalone } from './standalone.js';
import { runInTransaction } from './transaction.js';

export type { AppliedStep, Applying } from './applying.js';
export { canResume } from './settle.js';

/**
 * Runs a plan, one group of steps after the other; a group is one transaction, or one migration outside of any.
 * `onApplied` hears of each step once it is committed. Throws the error of the first step that fails; what came before it stays.
 */
export async function applyPlan(applying: Applying, resumed: ReadonlySet<string>, onApplied: (step: AppliedStep) => void): Promise<void> {
  const { plan, call, session } = applying;
  const { beforeAll, afterAll } = call.config.migrations.hooks;
  const entries = plan.steps.map(({ migration }) => migration.knexEntry);
  await session.send(renderFirstOwner(applying));
  if (beforeAll) await withKnex(applying, (knex) => beforeAll(knex, entries));
  for (const group of groupsOf(applying)) {
    call.stop.throwIfAborted();
    for (const run of await applyGroup(applying, group, resumed)) onApplied(told(applying, run));
  }
  if (afterAll) await withKnex(applying, (knex) => afterAll(knex, entries));
}

function groupsOf({ plan }: Applying): readonly (readonly Step[])[] {
  return plan.transaction === 'all' ? [plan.steps] : plan.steps.map((step) => [step]);
}

async function applyGroup(applying: Applying, group: readonly Step[], resumed: ReadonlySet<string>): Promise<readonly Run[]> {
  using _guard = guardExit(applying.call, group);
  for (let tries = 1; ; tries++) {
    try {
      const [first] = group;
      if (first && !first.transaction) return await runStandalone(applying, first, resumed.has(first.migration.id) ? 'resumed' : 'first');
      return await runInTransaction(applying, group, tries);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const run = error.runs.at(-1);
      if (!run || !error.kind.blockers) throw await journalled(applying, error);
      await backOff(applying, run, error.kind.blockers);
    }
  }
}

// What happened stands in the journal, unless the session that would write it is gone.
async function journalled(applying: Applying, { runs, error, kind }: StepFailed): Promise<MigrationError> {
  const { session, call, scope } = applying;
  const run = runs.at(-1);
  if (!run) return error;
  call.report.error('step.failed', { migration: run.step.name, code: error.code, tries: run.tries });
  if (kind.committing && session.wire.lost) return await explainLostCommit(applying, run, error);
  if (session.wire.lost || scope === 'xact') return error;
  const status = kind.leftBehind ? 'unfinished' : run.step.transaction ? 'failed' : 'undone';
  await session.send(renderEnded(applying, run, { status, ...causeOf(kind.failure, error) }));
  return error;
}

// Of a data exception, and of what a migration raised itself, only the SQLSTATE: their messages hold values.
function causeOf(failure: Failure | undefined, error: MigrationError) {
  const sqlState = sqlStateOf(failure?.error);
  const holdsValues = sqlState === undefined || /^(22|P0)/.test(sqlState);
  return { sqlState, message: holdsValues ? error.code : messageOf(failure?.error) };
}

function told(applying: Applying, run: Run): AppliedStep {
  const { step, durationMs, tries } = run;
  applying.call.report.info('step.applied', { migration: step.name, step: step.number, of: step.of, ms: durationMs, tries });
  return { name: step.name, durationMs, tries, batch: applying.claim.batch };
}

async function withKnex(applying: Applying, work: (knex: Awaited<ReturnType<Applying['session']['knex']>>) => unknown): Promise<void> {
  const connection = new StepConnection(applying.session.wire, { transaction: 'none' });
  try {
    await work(await applying.session.knex(connection.facade));
  } finally {
    connection.close();
  }
}
