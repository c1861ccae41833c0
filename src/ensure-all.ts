import type { AllOptions } from './config/index.js';
import type { DatabaseOutcome } from './databases/index.js';

export type { DatabaseOutcome } from './databases/index.js';

/**
 * Brings several databases to the code's newest migration, each as `ensureMigrated` does it and `concurrency` of them at once, and gives what each came to, in the
 * order of the list. Throws EM_NOT_ALL_MIGRATED unless all are at head; its `members` say what each came to, and the same call goes on from there. Before the
 * first change it asks each who it is, and throws EM_CONFIG_INVALID where two entries are one database and one history. While it runs, SIGTERM, SIGINT and
 * `signal` roll back what is at work and begin no more: EM_ABORTED.
 */
export async function ensureAllMigrated(options: AllOptions): Promise<readonly DatabaseOutcome[]> {
  return await (await import('./databases/index.js')).ensureDatabases(options); // who boots one database does not pay for it
}
