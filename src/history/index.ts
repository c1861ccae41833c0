export { compatibilityOf } from './compatibility.js';
export {
  inSchema,
  ownTables,
  resolved,
  schemaOf,
  tablesOf,
  renderBackfillsDelete,
  renderCreateTables,
  renderHistoryDelete,
  renderHistoryInsert,
  type Tables,
} from './tables.js';
export {
  areCatalogsAsLeft,
  digestOf,
  digestOfNames,
  joinedNames,
  readCatalogSums,
  readHistory,
  renderTryLock,
  splitNames,
  type Asked,
  type CatalogSums,
  type Facts,
  type History,
  type LockKey,
} from './read.js';
export {
  readApplied,
  readFailedAttempts,
  readJournal,
  readStatements,
  type AppliedRow,
  type Attempt,
  type AttemptStatus,
  type FailedAttempts,
  type JournalEntry,
  type Owner,
  type RepairNote,
  type SentStatement,
  type StatementEntry,
} from './journal.js';
export { isOwner } from './shape.js';
export { aboutHistory, asUnreadable } from './unreadable.js';

/** See hindered.ts; loaded when something has gone wrong. */
export async function asHindered(...args: Parameters<typeof import('./hindered.js').asHindered>): Promise<unknown> {
  return await (await import('./hindered.js')).asHindered(...args);
}
