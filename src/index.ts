export { ensureMigrated } from './ensure.js';
export { defineConfig } from './config/index.js';
export { createProbe, type Probe } from './probe.js';
export { isMigrationError, MigrationError, type ErrorCode } from './errors.js';
export type { AppliedMigration, FailedOutcome, Outcome } from './outcome.js';
export type { Finding, Level, Place } from './finding.js';
export type { Check, CheckContext, Logger, Mode, Options, ProgressEvent, Rule } from './config/index.js';
