import type { Options } from '../config/index.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { waitForHead } from '../wait-for-head.js';

/** Whether to wait. */
export interface CurrentOptions {
  /** Returns only once the database is at head, for init containers and scripts. */
  readonly wait?: boolean | undefined;
}

/** Where a database stands. */
export interface Current {
  readonly database: string;
  /** The newest applied migration; undefined at base. */
  readonly revision: string | undefined;
  /** The newest migration of this code. */
  readonly head: string | undefined;
  /** Whether it is at the newest migration of this code, and knows no newer one. */
  readonly isHead: boolean;
  /** How many migrations of the code are not applied. */
  readonly pendingCount: number;
}

/**
 * Tells where the database stands: one connection and one round trip, takes no lock, writes nothing. With `wait` it returns once somebody else
 * has brought the database to head, and throws EM_WAIT_TIMEOUT when `timeouts.lockMs` have passed without progress.
 */
export async function current(options: Options, { wait }: CurrentOptions = {}): Promise<Current> {
  return await runOnHistory({ ...options, mode: wait ? 'wait' : 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const state = await readState(opened);
    const { pending, ahead, revision } = wait && !state.inSync ? await waitForHead({ ...opened, state }) : state;
    return Object.freeze({
      database: opened.history.facts.database,
      revision,
      head: opened.migrations.at(-1)?.name,
      isHead: pending.length === 0 && ahead.length === 0,
      pendingCount: pending.length,
    });
  });
}
