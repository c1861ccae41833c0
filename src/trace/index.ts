/** What statements really do to the tables that are there: seen by running them. */
export type { TracedLock } from './effects.js';
export { traceStatements } from './statements.js';
export type { TracedStatement } from './tracer.js';
export { MigrationTracer, type TracedMigration } from './migrations.js';
