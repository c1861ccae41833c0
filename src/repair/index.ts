/** Repairs of the history, the journal and the locks, each asked for by name. The only door of this room. */
export type { RepairQuestion } from './confirm.js';
export type { HistoryRow } from './changes.js';
export { repairLock, type LockRepair } from './lock.js';
export { isSetByKnex, readLocks, type Locks, type Suspect } from './locks.js';
export { recordActions, repairRecords, type OnRecord, type RecordAction, type RecordRepair } from './record.js';
