import { isObject } from '../config/index.js';
import { MigrationError } from '../errors.js';
import type { Attempt, Owner, StatementEntry } from './journal.js';

type Kind = 'string' | 'number' | 'boolean' | 'names' | 'reasons' | 'unsound';
type Shape<T> = { readonly [Key in keyof T]-?: Kind };

const ownerShape: Shape<Owner> = {
  ...{ state: 'string', run: 'string', pid: 'number', host: 'string', processId: 'number', application: 'string', since: 'string' },
  ...{ migration: 'string', step: 'number', of: 'number', errorCode: 'string', flag: 'string', digest: 'string' },
  ...{ before: 'unsound', unknown: 'names' },
};

const attemptShape: Shape<Attempt> = {
  ...{ direction: 'string', status: 'string', checksum: 'string', breaking: 'boolean', breaks: 'names', safe: 'reasons', batch: 'number' },
  ...{ durationMs: 'number', lockWaitMs: 'number', tries: 'number', statementCount: 'number', started: 'string', finished: 'string' },
  ...{ sqlState: 'string', message: 'string', adopted: 'boolean', force: 'boolean', reason: 'string', by: 'string' },
};

const statementShape: Shape<StatementEntry> = {
  ...{ number: 'number', summary: 'string', kind: 'string', index: 'reasons', hash: 'string', failed: 'boolean' },
};

const isArrayOf = (value: unknown, is: (each: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
const isString = (value: unknown) => typeof value === 'string';

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'names') return isArrayOf(value, isString);
  if (kind === 'reasons') return isObject(value) && Object.values(value).every(isString);
  if (kind === 'unsound') return isObject(value) && isArrayOf(value['indexes'], isObject) && isArrayOf(value['constraints'], isObject);
  return typeof value === kind;
}

/** Whether it is an object whose keys are of these kinds, as far as they are there; others are of a later release. */
function fits(value: unknown, shape: Readonly<Record<string, Kind>>): boolean {
  if (!isObject(value)) return false;
  return Object.entries(shape).every(([key, kind]) => value[key] === undefined || value[key] === null || isOfKind(value[key], kind));
}

/** Whether a row is one that a run has written, be it of a later release. */
export function isOwner(value: unknown): value is Owner {
  return fits(value, ownerShape) && ['active', 'clear', 'failed'].includes(String((value as Owner).state));
}

/** The row as it is; throws EM_HISTORY_INVALID for what no run has written: guesses about it would be guesses about what was applied. */
export function checkedOwner(value: unknown): Owner {
  return isOwner(value) ? value : refuse('the owner row');
}

export function checkedAttempt<Row extends { readonly migration: string; readonly detail: Attempt }>(row: Row): Row {
  return fits(row.detail, attemptShape) ? row : refuse(`the last row of ${row.migration}`);
}

export function checkedStatement<Row extends { readonly detail: StatementEntry }>(row: Row, migration: string): Row {
  return fits(row.detail, statementShape) && isString(row.detail.kind) ? row : refuse(`a statement of ${migration}`);
}

function refuse(what: string): never {
  throw new MigrationError('EM_HISTORY_INVALID', `the journal is not as ensure-migrated writes it: ${what} cannot be read`);
}
