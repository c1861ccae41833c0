export { ensureMigrated } from './ensure.js';
export { createTenant } from './create-tenant.js';
export { ensureAllMigrated, type DatabaseOutcome } from './ensure-all.js';
export { backfill, type BackfillOptions, type CancelOptions, type ResumeOptions, type RetryOptions } from './backfills.js';
export { defineConfig } from './config/index.js';
export { addCheck, addColumnWithVolatileDefault, addForeignKey, addIndexConcurrently } from './ddl/index.js';
export { dropIndexConcurrently, setNotNull, validateConstraint } from './ddl/index.js';
export { createProbe, type Probe } from './probe.js';
export { isMigrationError, MigrationError, type ErrorCode, type Member } from './errors.js';
export type {
  AppliedMigration,
  FailedOutcome,
  Outcome,
  ReplicaOutcome,
  ReplicaState,
  StreamOutcome,
  TenantOutcome,
  UnfinishedBackfill,
} from './outcome.js';
export type { Finding, Level, Place } from './finding.js';
export type {
  AllOptions,
  Check,
  CheckContext,
  DatabaseOptions,
  Logger,
  Mode,
  OnFailure,
  Options,
  ProgressEvent,
  Rule,
  Stream,
} from './config/index.js';
export type { Backfill, BackfillControl, BackfillError, BackfillProgress, Batch, Row, RowAside } from './backfill/index.js';
export type { AddCheckOptions, AddColumnOptions, AddForeignKeyOptions, AddIndexOptions, DropIndexOptions } from './ddl/index.js';
export type { IndexKey, SetNotNullOptions, TableName, ValidateConstraintOptions } from './ddl/index.js';
