import type { MigrationError } from '../errors.js';

/** An error as `--json` prints it. */
export function errorFields({ code, message, remedy, retryable, findings, outcome }: MigrationError) {
  return { code, message, remedy, retryable, findings, outcome };
}
