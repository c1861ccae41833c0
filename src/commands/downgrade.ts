import type { Call } from '../call.js';
import type { Options } from '../config/index.js';
import { downgrade as takeBack, loadUndone, type Undone } from '../downgrade.js';
import { MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import { describeLoss } from '../loss.js';
import { nothingToDo, type Outcome } from '../outcome.js';
import { planDowngrade, type Step, type Target } from '../plan.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { underLock } from '../under-lock.js';
import { withReplicas } from '../with-replicas.js';

/** What a person is asked before anything is taken back. */
export interface DowngradeQuestion {
  readonly database: string;
  /** Newest first: the order in which they will be taken back. */
  readonly undone: readonly string[];
  /** What that destroys: rows in tables and columns that are dropped. */
  readonly losses: readonly Finding[];
}

/** How far to go back, and whether somebody is asked first. */
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
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    const state = await readState(opened);
    const undone = await loadUndone(opened, target, state);
    if (undone.length === 0 && state.settled) return await withReplicas(opened, 'in-sync', async () => nothingToDo(call, state));
    return await withReplicas(opened, 'pending', async () => {
      const losses = await describeLoss(opened, stepsOf(call, undone));
      const names = undone.map(({ name }) => name);
      if (names.length > 0) await confirmed(call, { database: opened.history.facts.database, undone: names, losses }, asking);
      return await underLock(opened, { work: async (locked) => await takeBack(locked, { target, confirmed: names, losses }) });
    });
  });
}

// Refuses what has no down before anybody is asked. Whether a pooler lies in between is looked at under the lock.
function stepsOf({ config: { transaction, migrations } }: Call, undone: readonly Undone[]): readonly Step[] {
  return planDowngrade({ undone, transaction, disableTransactions: migrations.disableTransactions, pooled: false }).steps;
}

async function confirmed({ config }: Call, question: DowngradeQuestion, { yes, confirm }: Omit<DowngradeOptions, 'target'>): Promise<void> {
  if (yes || config.environment === 'test' || (await confirm?.(question))) return;
  const what = `nobody has confirmed that ${question.undone.join(', ')} should be taken back in the database "${question.database}"`;
  throw new MigrationError('EM_NOT_CONFIRMED', what);
}
