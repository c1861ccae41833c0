import { nothingToDo, type Outcome } from './outcome.js';
import type { Target } from './plan.js';
import type { Opened } from './run-call.js';
import { underLock } from './under-lock.js';

/**
 * Takes the lock, reads everything again, checks, applies what is pending up to the target, verifies and lets go. A process that waits
 * for the lock goes on as soon as it finds the database at head; what only the holder needs is loaded once it holds the lock.
 */
export async function migrateUnderLock(opened: Opened, target: Target): Promise<Outcome> {
  return await underLock(opened, {
    needless: (state) => (target === 'head' && state.inSync ? nothingToDo(opened.call, state) : undefined),
    work: async (locked) => await (await import('./upgrade.js')).upgrade(locked, target),
  });
}
