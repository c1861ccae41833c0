import { MigrationError } from '../errors.js';

/** A repair that does not fit what is there. Thrown before anything was changed; `then` says what to do instead. */
export function refused(what: string, then = 'Look at what `ensure-migrated status` says.'): MigrationError {
  return new MigrationError('EM_REPAIR_REFUSED', what, { remedy: `${then} Nothing was changed.` });
}

/** Somebody else was faster. */
export function changedMeanwhile(): MigrationError {
  return refused('what was to be repaired has changed since this repair was confirmed', 'Look at it again, and start again.');
}
