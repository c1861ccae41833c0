import type { Call } from '../call.js';
import type { Options } from '../config/index.js';
import { downgrade as takeBack, loadUndone } from '../downgrade.js';
import { MigrationError } from '../errors.js';
import { nothingToDo, type Outcome } from '../outcome.js';
import type { Target } from '../plan.js';
import { readState } from '../read-state.js';
import { openDatabase, runCall } from '../run-call.js';
import { underLock } from '../under-lock.js';

/** What a person is asked before anything is taken back. */
export interface DowngradeQuestion {
  readonly database: string;
  /** Newest first: the order in which they will be taken back. */
  readonly undone: readonly string[];
}

export interface DowngradeOptions {
  readonly target: Target;
  /** Goes on without asking. Not needed where `environment` is `test`. */
  readonly yes?: boolean | undefined;
  /** Asks a person, before the lock is taken. */
  readonly confirm?: ((question: DowngradeQuestion) => Promise<boolean>) | undefined;
}

/**
 * Takes applied migrations back down to the target, in reverse of the order in which they ran, each `down` and its history row in one
 * transaction, under the lock and with the checks of a boot. Refuses before the first one: where a `down` or a file is missing
 * (EM_PLAN_REFUSED), where nobody has confirmed it (EM_NOT_CONFIRMED), where the history changed while somebody was asked (EM_PLAN_REFUSED).
 */
export async function downgrade(options: Options, { target, ...asking }: DowngradeOptions): Promise<Outcome> {
  return await runCall({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    const state = await readState(opened);
    const undone = (await loadUndone(opened, target, state)).map(({ name }) => name);
    if (undone.length === 0) return nothingToDo(call, state);
    await confirmed(call, { database: opened.history.facts.database, undone }, asking);
    return await underLock(opened, { work: async (locked) => await takeBack(locked, { target, confirmed: undone }) });
  });
}

async function confirmed({ config }: Call, question: DowngradeQuestion, { yes, confirm }: Omit<DowngradeOptions, 'target'>): Promise<void> {
  if (yes || config.environment === 'test' || (await confirm?.(question))) return;
  const what = `nobody has confirmed that ${question.undone.join(', ')} should be taken back in the database "${question.database}"`;
  throw new MigrationError('EM_NOT_CONFIRMED', what);
}
