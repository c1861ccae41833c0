import type { Options } from '../config/index.js';
import type { Target } from '../plan.js';
import { learnEffects } from '../proof.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { stampDatabase, type Stamped } from '../stamp.js';

/** Where the history is to end, and what of a stamp that does not fit. */
export interface StampOptions {
  /** `head`, `base`, or a revision by its name or a unique part of it. */
  readonly target: Target;
  /** Takes out what is not among the files, and second rows of one migration. */
  readonly purge?: boolean | undefined;
  /** Records it also where the database says otherwise, or cannot be asked. The journal says so. */
  readonly force?: boolean | undefined;
  /** Why; kept in the journal. */
  readonly reason?: string | undefined;
}

/**
 * Makes the history end at a revision without running anything: up to it each migration has a row, without a batch, which knex's rollback
 * leaves alone; what is beyond it has none any more. Under the lock, in history and journal. First it looks whether that is true: the
 * migrations are run in a scratch database, which needs CREATEDB, and what the stamped ones make must be in the schema, or must be gone.
 * Throws EM_SCHEMA_DIFFERS when it is not, EM_SCRATCH_UNAVAILABLE and EM_REPLAY_FAILED when nobody can know, EM_PLAN_REFUSED for a target
 * that is none and for a history that needs `purge`.
 */
export async function stamp(options: Options, { target, purge, force, reason }: StampOptions): Promise<Stamped> {
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    return await stampDatabase(opened, {
      target,
      history: purge ? 'purge' : 'must-be-sound',
      proof: force ? 'forced' : 'unless-forced',
      learn: learnEffects,
      refusal: 'the stamp would not be true',
      reason,
    });
  });
}
