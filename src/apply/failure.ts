import { isMigrationError, messageOf, MigrationError, sqlStateOf, type ErrorCode } from '../errors.js';
import { TransactionEnded, type Failure } from '../session/index.js';
import { lineAt, type LoadedMigration } from '../source/index.js';
import type { Applying, Run } from './applying.js';

interface ServerError extends Error {
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
  readonly where?: string;
}

/** What came out of a migration, and the statement that failed in it, if one did. */
export interface Thrown {
  readonly error: unknown;
  readonly failure?: Failure | undefined;
}

/** What the server said of a failing statement, with the migration, the file and the line. The SQL and the detail stand here only. */
export function failureOf({ session, call }: Applying, run: Run, { error, failure }: Thrown): MigrationError {
  if (call.stop.aborted) return call.stop.reason as MigrationError;
  const lost = session.lostOr(error);
  if (lost !== error) return named(lost as MigrationError, run);
  if (isMigrationError(error)) return named(error, run);
  const { name } = run.step;
  if (error instanceof TransactionEnded)
    return new MigrationError('EM_TRANSACTION_BROKEN', `${name}: ${describeEnded(error)}`, { cause: error });
  if (sqlStateOf(error) === 'EMLCK')
    return new MigrationError('EM_LOCK_LOST', `${name}: ${messageOf(error)}; rolled back`, { cause: error });
  return describe('EM_MIGRATION_FAILED', run, { error, failure });
}

function named(error: MigrationError, { step }: Run): MigrationError {
  if (error.message.startsWith(step.name)) return error;
  const { code, remedy, findings, outcome, cause } = error;
  return new MigrationError(code, `${step.name}: ${error.message.replace(`\n  ${remedy}`, '')}`, {
    cause: cause ?? error,
    findings,
    outcome,
    remedy,
  });
}

function describeEnded({ how, message }: TransactionEnded): string {
  const effect =
    how === 'committed'
      ? 'What came before that is in the database, and is not recorded in the history'
      : 'Nothing of it is in the database';
  return `${message}. ${effect}`;
}

/** Every line that helps: place, statement, SQLSTATE, message, detail, hint. */
export function describe(code: ErrorCode, run: Run, { error, failure }: Thrown): MigrationError {
  const { migration, name } = run.step;
  const server = (failure?.error ?? error) as ServerError;
  const state = sqlStateOf(server);
  const place = placeOf(migration, error, failure);
  const lines = [
    `migration ${name} failed${place ? ` at ${place}` : ''}: ${messageOf(server)}${state ? ` (SQLSTATE ${state})` : ''}`,
    failure && state ? `statement: ${failure.text.trim().slice(0, 2_000)}` : undefined,
    server.detail ? `detail: ${server.detail}` : undefined,
    server.hint ? `hint: ${server.hint}` : undefined,
    server.where ? `where: ${server.where}` : undefined,
  ];
  const remedy = state === undefined ? undefined : remedies[state];
  return new MigrationError(code, lines.filter(Boolean).join('\n  '), { cause: error, ...(remedy && { remedy }) });
}

const remedies: Record<string, string> = {
  // active_sql_transaction: CREATE INDEX CONCURRENTLY and its like
  '25001':
    'Add `export const config = { transaction: false }` (in .sql: a first line `-- transaction: false`): this statement cannot run in a transaction.',
  '42501': 'Grant this role what the statement needs, or connect with a role that may change the schema.',
};

function placeOf(migration: LoadedMigration, error: unknown, failure: Failure | undefined): string | undefined {
  const { file, up } = migration;
  if (file === undefined) return undefined;
  if (typeof up !== 'function') {
    const { position } = (failure?.error ?? {}) as ServerError;
    const start = failure ? Math.max(0, up.text.indexOf(failure.text)) : 0;
    return `${file}:${lineAt(up.text, start + Number(position ?? 1))}`;
  }
  // The frame of the migration that built the query: knex keeps the stack of the builder (asyncStackTraces).
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => line.includes(file));
  const line = frame && /:(\d+):\d+\)?$/.exec(frame)?.[1];
  return line ? `${file}:${line}` : file;
}
