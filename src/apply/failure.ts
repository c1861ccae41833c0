import type { Knex } from 'knex';
import {
  errorTable,
  isMigrationError,
  messageOf,
  MigrationError,
  isPassing,
  sqlStateOf,
  withoutRemedy,
  type ErrorCode,
  type ErrorDetails,
} from '../errors.js';
import { shellWord } from '../finding.js';
import type { Step } from '../plan.js';
import { TransactionBroken, type Failure } from '../step/index.js';
import type { Applying, Run } from './applying.js';
import { placeOf } from './place.js';
import { decisionRemedy } from './settle.js';

interface ServerError extends Error {
  readonly detail?: string;
  readonly hint?: string;
  readonly where?: string;
}

/** What came out of a migration, and the statement that failed in it, if one did. */
export interface Thrown {
  /** What the migration did, in words; default: it failed. */
  readonly what?: string;
  readonly error: unknown;
  readonly failure?: Failure | undefined;
}

/** What the server said of a failing statement, with the migration, the file and the line. The SQL and the detail stand here only. */
export async function failureOf(
  { session, call }: Applying,
  run: Run,
  { error, failure, what = 'failed' }: Thrown,
): Promise<MigrationError> {
  if (call.stop.aborted) return call.stop.reason as MigrationError;
  const lost = session.lostOr(error);
  if (lost !== error) return named(lost as MigrationError, run);
  if (isMigrationError(error)) return named(error, run);
  const { name, transaction } = run.step;
  if (error instanceof TransactionBroken) {
    const remedy = error.leftBehind && { remedy: `${decisionRemedy} ${errorTable.EM_TRANSACTION_BROKEN.remedy}` };
    return new MigrationError('EM_TRANSACTION_BROKEN', `${name}: ${error.sentence}`, { cause: failure?.thrown ?? error, ...remedy });
  }
  const state = sqlStateOf(error) ?? '';
  if (isLockLost(state)) {
    const message = `${name}: ${lockLost[state]}; ${transaction ? 'rolled back' : 'nothing was sent after that'}`;
    return new MigrationError('EM_LOCK_LOST', message, { cause: error });
  }
  if (failure && failure.thrown !== error && sqlStateOf(error) === inFailedTransaction) return await swallowedFailure(run, failure);
  return await describe({ code: 'EM_MIGRATION_FAILED', what }, run, { error, failure });
}

// Raised by renderPossession and renderClaimed.
const lockLost: Readonly<Record<string, string>> = {
  EMLCK: 'this session no longer held the advisory lock',
  EMKNX: "knex's own lock was freed under us (`knex migrate:unlock`)",
};

/** Whether the statement that asks for possession has raised this SQLSTATE. */
export function isLockLost(state: string): boolean {
  return state in lockLost;
}

// in_failed_sql_transaction: a consequence, not the cause
const inFailedTransaction = '25P02';

/** The failed statement behind what was thrown; undefined when the migration has got over that, and threw something else. */
export function failureBehind(thrown: unknown, failure: Failure | undefined): Failure | undefined {
  if (sqlStateOf(thrown) === inFailedTransaction) return failure;
  for (let error = thrown, depth = 0; failure && depth < 8; error = (error as { cause?: unknown } | null | undefined)?.cause, depth++) {
    if (error === failure.thrown) return failure;
  }
  return undefined;
}

/** A statement failed, the migration caught that and returned: the server would have answered its COMMIT with ROLLBACK. */
export async function swallowedFailure(run: Run, failure: Failure): Promise<MigrationError> {
  const remedy =
    'Let failed statements throw, or put a statement that may fail into a savepoint: `await knex.transaction(...)` inside the migration.';
  return await describe({ code: 'EM_TRANSACTION_BROKEN', what: 'caught a failed statement and went on', remedy }, run, {
    error: failure.thrown,
    failure,
  });
}

/** Runs a migration's `verify`; throws EM_VERIFY_FAILED when that throws. A statement of it that fails is said with the statement. */
export async function verifyStep({ migration, transaction }: Step, knex: Knex): Promise<void> {
  try {
    await migration.verify?.(knex);
  } catch (error) {
    if (sqlStateOf(error) !== undefined) throw error;
    throw new MigrationError('EM_VERIFY_FAILED', `its verify() threw: ${messageOf(error)}`, {
      cause: error,
      remedy: `Look at what verify() expects.${transaction ? ' The migration was rolled back.' : ''}`,
    });
  }
}

/** The message that records and commits failed: at a deferred constraint, or for want of space. */
export function notCommitted(runs: readonly Run[], error: unknown): Promise<MigrationError> {
  const names = runs.map(({ step }) => step.name).join(', ');
  const said = withoutSql(error as ServerError);
  const lines = [
    `the COMMIT of ${names} failed, nothing of it was applied: ${said} (SQLSTATE ${sqlStateOf(error)})`,
    ...detailsOf(error as ServerError),
  ];
  return Promise.resolve(new MigrationError('EM_NOT_COMMITTED', lines.join('\n  '), { cause: error, ...afterRefusedCommit(error) }));
}

function afterRefusedCommit(error: unknown): Pick<ErrorDetails, 'exit' | 'remedy'> {
  if (isPassing(sqlStateOf(error))) return {};
  const remedy = 'Correct the migration, or the data that it meets, then start the service again: the migration was not applied.';
  return { exit: 78, remedy };
}

function named(error: MigrationError, { step }: Run): MigrationError {
  const said = withoutSql(error);
  const prefix = said.startsWith(step.name) || said.includes(`migration ${step.name} `) ? '' : `${step.name}: `;
  if (prefix === '' && said === error.message) return error;
  const { code, remedy, exitCode: exit, findings, outcome, cause } = error;
  return new MigrationError(code, `${prefix}${withoutRemedy({ message: said, remedy })}`, {
    cause: cause ?? error,
    findings,
    outcome,
    remedy,
    exit,
  });
}

interface Verdict {
  readonly code: ErrorCode;
  readonly what: string;
  readonly remedy?: string;
}

/** Every line that helps: place, statement, SQLSTATE, message, detail, hint. */
async function describe(verdict: Verdict, run: Run, { error, failure }: Thrown): Promise<MigrationError> {
  const { name, direction } = run.step;
  const server = (failure?.error ?? error) as ServerError | null | undefined; // anything can be thrown
  const state = sqlStateOf(server);
  const { place, statement } = await placeOf(run.step, error, failure);
  const wrapped = failure && error !== failure.thrown ? `${messageOf(error)}: ` : '';
  const lines = [
    `${direction === 'up' ? '' : 'the down of '}migration ${name} ${verdict.what}${place ? ` at ${place}` : ''}: ${wrapped}${messageOf(server)}${state ? ` (SQLSTATE ${state})` : ''}`,
    ...(statement && state ? [`statement: ${statement.trim().slice(0, 2_000)}`] : []),
    ...detailsOf(server),
  ];
  const remedy = verdict.remedy ?? (state === undefined ? undefined : remedyOf(state, run.step));
  return new MigrationError(verdict.code, lines.join('\n  '), { cause: error, ...(remedy && { remedy }) });
}

function detailsOf(error: ServerError | null | undefined): string[] {
  const { detail, hint, where } = error ?? {};
  return Object.entries({ detail, hint, where }).flatMap(([name, text]) => (text ? [`${name}: ${text}`] : []));
}

// knex puts the SQL before what the server said; here that is its own COMMIT.
function withoutSql(error: Error): string {
  return error.message.replace(/^COMMIT; - /, '');
}

// duplicate_column, duplicate_object, duplicate_table (an index, too): on the way up, a hotfix that was made by hand first
const duplicates: ReadonlySet<string> = new Set(['42701', '42710', '42P07']);

function remedyOf(state: string, { name, direction }: Step): string | undefined {
  if (direction === 'down' || !duplicates.has(state)) return remedies[state] ?? remedies[state.slice(0, 2)];
  const byHand = `\`ensure-migrated stamp ${shellWord(name)}\`, which proves that all of it is there`;
  return `${errorTable.EM_MIGRATION_FAILED.remedy} Where somebody has made by hand what it makes: ${byHand}.`;
}

/** By SQLSTATE, or by its class. */
const remedies: Record<string, string> = {
  // integrity_constraint_violation: as a rule the migration is right, and rows are there that do not fit
  '23': 'Correct the rows that do not fit, or the migration, and start the service again.',
  // active_sql_transaction: CREATE INDEX CONCURRENTLY and its like
  '25001':
    'Add `export const config = { transaction: false }` (in .sql: a first line `-- transaction: false`): this statement cannot run in a transaction.',
  '53100': 'Make room on the disk of the server (or of the tablespace), then start the service again: the migration may stay as it is.',
  '57014':
    'Find out who has cancelled it: an operator (pg_cancel_backend), or a statement_timeout that the migration sets, or, behind a pooler, the role or the database. Then start the service again.',
  // out_of_memory, which the server also says when its table of locks is full
  '53200':
    'Raise max_locks_per_transaction (it takes a restart of the server), or let the migration touch fewer tables at once, when the message speaks of shared memory; else give the server more memory.',
  '42501': 'Grant this role what the statement needs, or connect with a role that may change the schema.',
};
