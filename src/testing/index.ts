/** Test databases for any runner. */
export { startTestDatabases, type Booted, type Harness, type StartingPoint, type TestDatabasesOptions } from './harness.js';
export type { Boot } from './boots.js';
export type { Reset, TestDatabase } from './database.js';
export type { OnIdle, OnLeak } from './leaks.js';
export type { Seed } from './seed.js';
export { resetSchema, type ResetSchemaOptions } from './reset-schema.js';
export type { Trace, TraceFailure } from '../traced-steps.js';
export type { TracedLock, TracedMigration, TracedStatement } from '../trace/index.js';
