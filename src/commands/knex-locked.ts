import type { Finding } from '../finding.js';

/** knex's lock row is set, and nobody says that it is a run of ours. */
export function knexLocked(): Finding {
  const message =
    "knex's own lock row is set, and not by ensure-migrated: a boot that has something to apply would wait for it, and then refuse";
  return {
    code: 'knex-locked',
    level: 'warn',
    message,
    remedy: 'Wait for the knex run; when none is alive, `ensure-migrated repair lock`.',
  };
}
