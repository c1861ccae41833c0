export { ensureMigrated } from './ensure.js';
export { createTenant } from './create-tenant.js';
export { ensureAllMigrated, type DatabaseOutcome } from './ensure-all.js';
export { backfill, type BackfillOptions, type CancelOptions, type ResumeOptions, type RetryOptions } from './backfills.js';
export { defineConfig } from './config/index.js';
export { addCheck, addColumnWithVolatileDefault, addForeignKey, addIndexConcurrently } from './ddl/index.js';
export { dropIndexConcurrently, setNotNull, validateConstraint } from './ddl/index.js';
export { createProbe, type Probe, type ProbePhase } from './probe.js';
export { isMigrationError, MigrationError, type ErrorCode, type ErrorDetails, type ExitCode, type Member } from './errors.js';
export type {
  AppliedMigration,
  FailedOutcome,
  Outcome,
  OutcomeStatus,
  Phase,
  ReplicaOutcome,
  ReplicaState,
  StreamOutcome,
  TenantOutcome,
  UnfinishedBackfill,
} from './outcome.js';
export type { Finding, Level, Place } from './finding.js';
export type {
  AllOptions,
  ApplicationInput,
  BackfillMode,
  BackupDirectory,
  BackupSettings,
  Check,
  CheckContext,
  ConnectionInput,
  DatabaseOptions,
  ExpectationInput,
  LintInput,
  Logger,
  MigrationHook,
  MigrationModule,
  MigrationsInput,
  MigrationSource,
  Mode,
  OnFailure,
  Options,
  PgConfig,
  ProgressEvent,
  ReplicaInput,
  Rule,
  RuleInput,
  RulesInput,
  SchemaInput,
  Stream,
  TenantsInput,
  ThrottleAnswer,
  ThrottleSettings,
  TimeoutsInput,
} from './config/index.js';
export type { Backfill, BackfillControl, BackfillError, BackfillProgress, BackfillStatus, Batch, Row, RowAside } from './backfill/index.js';
export type { AddCheckOptions, AddColumnOptions, AddForeignKeyOptions, AddIndexOptions, DropIndexOptions } from './ddl/index.js';
export type { IndexDefinition, IndexKey, SetNotNullOptions, TableName, Validate, ValidateConstraintOptions } from './ddl/index.js';
