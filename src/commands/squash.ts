import type { Options } from '../config/index.js';
import { squashMigrations, type SquashRequest, type SquashResult } from '../squash/index.js';
import { atWorkplace } from '../workplace.js';

/** What is squashed, and what of rows and of the old files. */
export interface SquashOptions extends SquashRequest {
  /** Asks no server: everything is built on the embedded PostgreSQL. pg_dump is needed all the same. */
  readonly embedded?: boolean | undefined;
}

/**
 * Makes one migration of all from the first up to a revision, proved in scratch databases to make the same. It says which it replaces: a database
 * that has run them all counts it as applied, a fresh one runs it in their place, and one in the middle is refused, unless the old files are still
 * there. No database has to be at head, and none is changed. Throws EM_PLAN_REFUSED where nobody has said what becomes of rows that the old ones
 * write or sequences that they move, EM_DIFF_INCOMPLETE, EM_REPLAY_FAILED, EM_SCRATCH_UNAVAILABLE; nothing is written then.
 */
export async function squash(options: Options, { embedded, ...request }: SquashOptions): Promise<SquashResult> {
  return await atWorkplace(options, embedded ? 'embedded' : 'given', async (place) => await squashMigrations(place, request));
}
