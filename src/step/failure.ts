import { isMigrationError } from '../errors.js';

/** A statement that failed: as the migration sent it, and what came back, before knex rewrites the error. */
export interface Failure {
  readonly text: string;
  readonly error: Error;
  /** The object that was thrown: knex gives it the stack of the migration's line. */
  readonly thrown: unknown;
  /** How many statements of the text the server had run before. */
  readonly doneCount: number;
  /** Characters of the migration's file before the text. */
  readonly offset: number;
}

/** Moves the position in an error: the server counts from the start of the message, the migration's author from that of the statement. */
export function shiftPosition(error: unknown, by: number): unknown {
  const position = Number((error as { position?: string } | null)?.position);
  if (position > by) (error as { position: string }).position = String(position - by);
  return error;
}

/** knex writes the SQL into the message of the very object that pg threw: keep what the server said. */
export function snapshotOf(error: unknown): Error {
  const original = error instanceof Error ? error : new Error(String(error));
  return Object.assign(Object.create(Object.getPrototypeOf(original) as object) as Error, original, { message: original.message });
}

/** knex writes the SQL into the message of what it is thrown: an error of ours is kept from that. */
export function asThrown(error: Error): Error {
  return isMigrationError(error) ? new Error(error.message, { cause: error }) : error;
}
