import { isMigrationError, messageOf, sqlStateOf } from '../errors.js';
import { TransactionBroken } from '../step/index.js';
import type { BackfillError } from './state.js';

/** What the code of a backfill threw, or gave: no value of a row is in the message. */
export class ApplyFailed extends Error {}

/** The code took longer than a batch may, with its rows locked. */
export class ApplyTooSlow extends Error {}

/**
 * What a failed batch says of what comes next. `crowded`: others were in the way, or it took too long: a smaller one, later. `bad-row`: a row of it
 * cannot be changed. `stopped`: no row can be. `lost`: the session is gone, or we were told to stop: not to be decided here.
 */
export type FailureKind = 'crowded' | 'bad-row' | 'stopped' | 'lost';

// 55P03 lock_timeout, 57014 statement_timeout, 40001 and 40P01 lost to others; class 53: the server has too little of something for now.
const crowded = /^(55P03|57014|40001|40P01|53...)$/;
// Data, constraints, WITH CHECK, limits, RAISE, and functions: it is about values.
const ofValues = /^(22|23|27|38|39|44|54|P0)/;

export function kindOf(error: unknown): FailureKind {
  if (isMigrationError(error)) return 'lost';
  if (error instanceof TransactionBroken) return 'stopped';
  if (error instanceof ApplyTooSlow) return 'crowded';
  const state = sqlStateOf(error);
  if (state === undefined) return 'bad-row'; // thrown by the code of the backfill
  if (crowded.test(state)) return 'crowded';
  return ofValues.test(state) ? 'bad-row' : 'stopped';
}

/** An error as it may be kept: what a server or the code says of a value says the value, too. */
export function errorOf(error: unknown, key?: readonly string[]): BackfillError {
  return { ...describe(error), ...(key && { key }) };
}

function describe(error: unknown): Pick<BackfillError, 'code' | 'message'> {
  const state = sqlStateOf(error);
  const { name, constraint, column } = (error ?? {}) as { name?: string; constraint?: string; column?: string };
  if (state === undefined) {
    return { code: 'apply', message: saidOf(error) ?? `the code of the backfill threw ${typeof name === 'string' ? name : 'something'}` };
  }
  if (!ofValues.test(state)) return { code: state, message: messageOf(error) };
  const where = constraint ? ` of the constraint ${constraint}` : column ? ` of the column ${column}` : '';
  return { code: state, message: `the server refused a value${where}` };
}

function saidOf(error: unknown): string | undefined {
  if (error instanceof ApplyFailed) return error.message;
  if (error instanceof ApplyTooSlow) return 'the code of the backfill took too long';
  if (!(error instanceof TransactionBroken)) return undefined;
  const effect = error.leftBehind ? ': what it had changed is committed, and would be changed again' : '';
  return `the code of the backfill ended the transaction of its batch, which is not its own${effect}`;
}
