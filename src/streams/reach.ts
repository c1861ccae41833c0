import { nothingToDo, type Outcome } from '../outcome.js';
import { readState } from '../read-state.js';
import type { Opened } from '../run-call.js';
import { findRevision, type State } from '../state.js';
import { underLock } from '../under-lock.js';

/**
 * Brings a history to a revision at least: one that has it needs nothing, whatever else is pending there. Mode `apply` takes the lock and is a boot that ends
 * earlier; `wait` waits until another process has brought it there. Throws what a boot throws.
 */
export async function reachRevision(opened: Opened, to: string): Promise<Outcome> {
  const { call, migrations } = opened;
  const { id } = findRevision(to, migrations, 'the revision');
  const isReached = ({ pending }: State) => !pending.some((migration) => migration.id === id);
  const state = await readState(opened);
  if (isReached(state)) return nothingToDo(call, state);
  if (call.config.mode === 'wait') {
    const { waitForHead } = await import('../wait-for-head.js');
    return nothingToDo(call, await waitForHead({ ...opened, state, isReached }));
  }
  return await underLock(opened, {
    needless: (found) => (isReached(found) ? nothingToDo(call, found) : undefined),
    work: async (locked) => await (await import('../upgrade.js')).upgrade(locked, { to }),
  });
}
