import type { MigrationError } from '../errors.js';

/** An error as `--json` prints it: `{ "error": ... }`. Without its cause, which may quote a row. */
export type PrintedError = Pick<MigrationError, 'code' | 'message' | 'remedy' | 'retryable' | 'findings' | 'outcome'>;

/** The fields of an error that `--json` prints. */
export function errorFields({ code, message, remedy, retryable, findings, outcome }: MigrationError): PrintedError {
  return { code, message, remedy, retryable, findings, outcome };
}
