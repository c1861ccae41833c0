import { digestOfHistory, recordedChecksums } from './adopt.js';
import type { History } from './history/index.js';
import type { FullState, Locked } from './under-lock.js';
import { verifyRun } from './verify.js';

/**
 * Lets go of the lock when there was nothing to do. A run that failed after its last migration, or died before it could say that all is
 * well, is verified first, and knex's lock row and the owner row are cleared: then nobody has to do it again. Throws EM_VERIFY_FAILED.
 */
export async function settleLastRun(locked: Locked, state: FullState, history: History): Promise<void> {
  if (state.settled) return await locked.release();
  const { call, session, tables } = locked;
  const { owner, applied } = await locked.claim(history);
  const { before } = owner;
  const found = await call.report.phase('verify', () => verifyRun({ call, session, tables, before, expected: applied }));
  locked.refuse('EM_VERIFY_FAILED', 'the migrations ran, and this is wrong now', found);
  await locked.release({ state: 'clear', before: undefined, ...digestOfHistory(applied, recordedChecksums(state.journal)) });
}
