import { seeToBackfills } from '../boot-backfills.js';
import type { Options } from '../config/index.js';
import { migrateUnderLock } from '../migrate.js';
import { nothingToDo, withFindings, type Outcome } from '../outcome.js';
import type { Target } from '../plan.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { refreshSnapshot } from '../snapshot.js';
import { withReplicas } from '../with-replicas.js';

/** How far to go. */
export interface UpgradeOptions {
  /** Default `head`. */
  readonly target?: Target | undefined;
}

/**
 * Applies what is pending up to the target, as a boot does up to head: the same lock, checks, plan and journal. At head already it costs one
 * connection and one round trip, takes no lock and writes nothing. Works on backfills only where `backfills` says `blocking`. Throws EM_PLAN_REFUSED for a target that is not ahead, and all that
 * `ensureMigrated` throws. Where `schema.snapshot` is there, and not in production, it is written anew once something was applied.
 */
export async function upgrade(options: Options, { target = 'head' }: UpgradeOptions = {}): Promise<Outcome> {
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    const state = await readState(opened);
    const isDone = target === 'head' && state.inSync;
    const migrated = await withReplicas(opened, isDone ? 'in-sync' : 'pending', async () =>
      isDone ? nothingToDo(call, state) : await migrateUnderLock(opened, target),
    );
    const outcome = migrated.applied.length === 0 ? migrated : withFindings(migrated, await refreshSnapshot(opened));
    if (state.inSync && !opened.history.hasBackfills) return outcome;
    return await seeToBackfills(opened, { outcome });
  });
}
