import { MigrationError } from '../errors.js';
import type { Session } from '../session/index.js';
import { chosenOf } from './names.js';
import { pause } from './pause.js';
import { isOpen, readProgress, type BackfillProgress } from './progress.js';
import type { Crew } from './worker.js';

const pollMs = 500;

/** Waits until backfills are done, and works on nothing. Throws EM_BACKFILL_UNFINISHED when one stands still, which only a person can change. */
export async function waitForDone(
  { call, tables, names }: Omit<Crew, 'definitionOf'>,
  session: Session,
): Promise<readonly BackfillProgress[]> {
  for (;;) {
    call.stop.throwIfAborted();
    const chosen = chosenOf(await readProgress(session, tables), names);
    const still = chosen.filter((each) => !isOpen(each) && each.status !== 'done');
    if (still.length > 0) throw standStill(still);
    if (chosen.every(({ status }) => status === 'done')) return chosen;
    await pause(call, pollMs);
  }
}

function standStill(still: readonly BackfillProgress[]): MigrationError {
  const lines = still.map(({ name, status, error }) => `- ${name} is ${status}${error ? `: ${error.message}` : ''}`);
  return new MigrationError('EM_BACKFILL_UNFINISHED', ['what is waited for stands still:', ...lines].join('\n  '));
}
