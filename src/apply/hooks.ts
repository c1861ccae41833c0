import { errorTable, isMigrationError, messageOf, MigrationError } from '../errors.js';
import { renderSettings } from '../session/index.js';
import { knexFor, StepConnection, TransactionBroken } from '../step/index.js';
import { refuseUnheard, type Applying } from './applying.js';
import { blockedForGood, blockersOf } from './blocked.js';
import { guardExit } from './exit-guard.js';
import { failureBehind, type Thrown } from './failure.js';
import { interruptible } from './interrupt.js';
import { renderReset } from './messages.js';
import { decisionRemedy } from './settle.js';

/** knex calls these two around the whole run: in its transaction where there is one for the set, else outside of any. */
export type HookName = 'beforeAll' | 'afterAll';

/** What knex would hand to it. */
export function entriesOf({ plan }: Applying): unknown[] {
  return plan.steps.map(({ migration }) => migration.knexEntry);
}

/**
 * Calls it outside of any transaction, if there is one, and puts back what it may have changed in the session. Throws EM_BLOCKED when a
 * statement of it stood in the way of others and was taken back, else what {@link hookFailure} makes of its error.
 */
export async function runHook(applying: Applying, name: HookName): Promise<void> {
  const { session, call, plan, watch } = applying;
  const hook = call.config.migrations.hooks[name];
  if (!hook) return;
  // Nobody would see whom its waiting holds up.
  if (watch.mode === 'lock-timeout') await session.send(renderSettings([['lock_timeout', String(watch.lockTimeout())]]));
  using _guard = guardExit(call, plan.steps);
  const connection = new StepConnection(session.wire, { transaction: 'none' });
  let thrown: Thrown | undefined;
  try {
    await interruptible(applying, connection, async () => await hook(await knexFor(session, connection), entriesOf(applying)));
    await refuseUnheard(applying, connection);
  } catch (error) {
    thrown = { error, failure: failureBehind(error, connection.failure) };
  } finally {
    connection.close();
  }
  await ended(applying, name, thrown);
}

async function ended(applying: Applying, name: HookName, thrown: Thrown | undefined): Promise<void> {
  const { session, call } = applying;
  const failure = thrown && hookFailure(applying, name, thrown);
  if (failure && session.wire.lost) throw failure;
  const blockers = thrown && !call.stop.aborted ? blockersOf(applying, thrown.failure?.error ?? thrown.error) : undefined;
  await session.endStream();
  const leftOpen = session.wire.status !== 'I'; // the next migration would commit it
  await session.send([...(leftOpen ? ['rollback;'] : []), ...renderReset(applying)].join('\n'));
  if (blockers) throw await blockedForGood(applying, `the hook ${name}: a statement of it was taken back`, blockers);
  if (failure) throw failure;
  if (!leftOpen) return;
  throw new MigrationError('EM_TRANSACTION_BROKEN', `the hook ${name} left a transaction open: what it did there was rolled back`);
}

/** What a hook threw, told of the hook and of no migration. */
export function hookFailure({ session, call }: Applying, name: HookName, { error, failure }: Thrown): MigrationError {
  if (call.stop.aborted) return call.stop.reason as MigrationError;
  const lost = session.lostOr(error);
  if (lost !== error) return lost as MigrationError;
  if (error instanceof TransactionBroken) {
    const remedy = error.leftBehind && { remedy: `${decisionRemedy} ${errorTable.EM_TRANSACTION_BROKEN.remedy}` };
    return new MigrationError('EM_TRANSACTION_BROKEN', `the hook ${name}: ${error.sentence}`, { cause: error, ...remedy });
  }
  if (isMigrationError(error, 'EM_MIGRATION_STALLED')) {
    const message = `the hook ${name} has not sent a statement for ${call.config.timeouts.silenceMs} ms, and has not ended`;
    return new MigrationError('EM_MIGRATION_STALLED', message, { remedy: 'Await every promise in it, or raise `timeouts.silenceMs`.' });
  }
  const message = `the hook ${name} threw: ${messageOf(failure?.error ?? error)}`;
  return new MigrationError('EM_MIGRATION_FAILED', message, { cause: error, remedy: 'Correct the hook and start the service again.' });
}
