import { MigrationError } from '../errors.js';
import type { Applying, Run } from './applying.js';
import { backOff, blockersOf } from './blocked.js';
import { renderRecord } from './messages.js';

/**
 * Writes the rows of a migration outside a transaction, all of which is done by now: they are worth as much patience as a statement of it.
 * One transaction, tried again while another session stands in its way; throws EM_BLOCKED when the patience is used up.
 */
export async function recordStandalone(applying: Applying, run: Run): Promise<void> {
  while (!(await recorded(applying, run))) run.tries++;
}

async function recorded(applying: Applying, run: Run): Promise<boolean> {
  const { session, call } = applying;
  try {
    const { tags } = await session.send(`begin isolation level read committed;\n${renderRecord(applying, [run])}`);
    if (tags.at(-1) === 'COMMIT') return true;
    throw new MigrationError('EM_NOT_COMMITTED', `the server answered the COMMIT with ${tags.at(-1) ?? 'nothing'}`);
  } catch (error) {
    if (session.wire.lost) throw error;
    const blockers = call.stop.aborted ? undefined : blockersOf(applying, error);
    if (session.wire.status !== 'I') await session.send('rollback');
    if (!blockers) throw error;
    await backOff(applying, run, blockers);
    return false;
  }
}
