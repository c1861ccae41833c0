import { errorTable, isMigrationError, messageOf, MigrationError } from '../errors.js';
import { StepConnection, TransactionBroken } from '../session/index.js';
import type { Applying } from './applying.js';
import type { Thrown } from './failure.js';
import { interruptible } from './interrupt.js';
import { decisionRemedy } from './settle.js';

/** knex calls these two around the whole run: in its transaction where there is one for the set, else outside of any. */
export type HookName = 'beforeAll' | 'afterAll';

/** What knex would hand to it. */
export function entriesOf({ plan }: Applying): unknown[] {
  return plan.steps.map(({ migration }) => migration.knexEntry);
}

/** Calls it outside of any transaction, if there is one. Throws what {@link hookFailure} makes of its error. */
export async function runHook(applying: Applying, name: HookName): Promise<void> {
  const { session, call } = applying;
  const hook = call.config.migrations.hooks[name];
  if (!hook) return;
  const connection = new StepConnection(session.wire, { transaction: 'none' });
  try {
    await interruptible(applying, connection, async () => await hook(await session.knex(connection), entriesOf(applying)));
  } catch (error) {
    throw hookFailure(applying, name, { error, failure: connection.failure });
  } finally {
    connection.close();
  }
  if (session.wire.status === 'I') return;
  await session.send('rollback'); // else the next migration would commit it
  throw new MigrationError('EM_TRANSACTION_BROKEN', `the hook ${name} left a transaction open: what it did there was rolled back`);
}

/** What a hook threw, told of the hook and of no migration. */
export function hookFailure({ session, call }: Applying, name: HookName, { error, failure }: Thrown): MigrationError {
  const known = session.lostOr(error);
  if (known !== error || known === call.stop.reason) return known as MigrationError;
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
