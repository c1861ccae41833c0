import type { ErrorCode, MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import type { FailedOutcome } from '../outcome.js';

/** An error as `--json` prints it: `{ "error": ... }`. Without its cause, which may quote a row. */
export interface PrintedError {
  /** docs/errors.md has a section for each; a later release may know more of them. */
  readonly code: ErrorCode;
  /** What was being done, to what, and what the server said; ends with the remedy. */
  readonly message: string;
  /** What to do, as an imperative. */
  readonly remedy: string;
  /** Whether the same call may succeed later without anyone acting. */
  readonly retryable: boolean;
  /** What was found, where that is why. */
  readonly findings: readonly Finding[];
  /** What had been done until then; not there where the lock had not been taken. */
  readonly outcome: FailedOutcome | undefined;
}

/** The fields of an error that `--json` prints. */
export function errorFields({ code, message, remedy, retryable, findings, outcome }: MigrationError): PrintedError {
  return { code, message, remedy, retryable, findings, outcome };
}
