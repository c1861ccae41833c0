export { tablesOf, renderCreateTables, renderHistoryInsert, type Tables } from './tables.js';
export { digestOf, readHistory, type Facts, type History, type LockKey } from './read.js';
export {
  readJournal,
  readStatements,
  renderAttempt,
  renderOwner,
  renderSchema,
  renderStamp,
  renderStatement,
  type Attempt,
  type JournalEntry,
  type Owner,
  type StatementEntry,
} from './journal.js';
export { claimHistory, renderUnclaim, type Claim } from './claim.js';
