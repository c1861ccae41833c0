import { MigrationError } from '../errors.js';
import type { Step } from '../plan.js';
import { openSession, type Session } from '../session/index.js';
import type { Applying, Run } from './applying.js';

/**
 * The COMMIT was sent and its answer was lost. Connects again, waits until the old backend is gone (before that its transaction may
 * still end either way), reads the history row, and says which it was.
 */
export async function explainLostCommit(applying: Applying, run: Run, lost: MigrationError): Promise<MigrationError> {
  const { name, transaction, direction } = run.step;
  try {
    await using session = await openSession(applying.call);
    await oldBackendGone(applying, session);
    const applied = await isRecorded(applying, session, run.step);
    const not = transaction ? 'is NOT applied' : 'is NOT recorded; what it did outside a transaction stays';
    const verdict = `it was looked up: the ${direction === 'up' ? 'migration' : 'down'} ${applied ? 'IS applied and recorded' : not}`;
    return new MigrationError('EM_LOST_SESSION', `${name}: the answer to its COMMIT was lost; ${verdict}`, { cause: lost.cause });
  } catch (error) {
    const either = transaction ? 'it is either wholly applied or not at all' : 'it is either recorded or not';
    const message = `${name}: the answer to its COMMIT was lost, and the server could not be asked: ${either}`;
    return new MigrationError('EM_LOST_SESSION', message, { cause: error });
  }
}

async function oldBackendGone({ call, claim }: Applying, session: Session): Promise<void> {
  const started = performance.now();
  for (;;) {
    const rows = await session.query('select from pg_catalog.pg_stat_activity where pid = $1', [claim.owner.pid]);
    if (rows.length === 0) return;
    if (performance.now() - started > 2 * call.config.timeouts.leaseMs) throw new Error('the lost session still runs on the server');
    await call.wait(100);
  }
}

async function isRecorded({ tables, claim }: Applying, session: Session, { name, direction }: Step): Promise<boolean> {
  const rows = await session.query<{ batch: number | null }>(`select batch from ${tables.history} where name::text = $1`, [name]);
  return direction === 'up' ? rows.some(({ batch }) => batch === claim.batch) : rows.length === 0;
}
