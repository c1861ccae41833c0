import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { isObject, oneOf, record, refuse, shown, text, type Place, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { names, tableName, type TableName } from '../table-name.js';
import { mostRows } from './pace.js';

/** A row of the table: each column by its name, as pg gives it (bigint and numeric are text; a time that is part of the key is text, too). */
export type Row = Readonly<Record<string, unknown>>;

/** Which batch of which backfill this is: the same again when it is tried again, so that what is done outside the database can be recognised. */
export interface Batch {
  readonly backfill: string;
  readonly id: string;
}

/** A change of many rows that is made in batches, each in a transaction of its own, and in each row exactly once. */
export interface Backfill {
  readonly table: TableName;
  /** Which rows, in SQL; a row that does not match when its batch comes is passed over. Default: all. */
  readonly where?: string;
  /** The change, in SQL, as after the SET of an UPDATE. Either this or `apply`. */
  readonly set?: string;
  /**
   * The change, in code: gives the rows back with other values, in any order; a row that is left out stays as it is. Called in the transaction of
   * the batch, with its rows locked, and again when the batch is tried again. Giving nothing: it has changed them through `trx` itself.
   */
  readonly apply?: (rows: Row[], trx: Knex.Transaction, batch: Batch) => Promise<readonly Row[] | void> | readonly Row[] | void;
  /** The columns of a unique key, none of them nullable, in whose order the table is walked. Default: the primary key. */
  readonly key?: readonly string[];
  /** A query that gives one value: 0, false or null when all is as it should be. Asked at the end; until it is, nobody may rely on the rows. */
  readonly verify?: string;
  /** How long a batch should take, in ms, which others wait for at most about twice. Default 200. */
  readonly targetMs?: number;
  /** Rows of the first batch; then the target decides. Default 1000. */
  readonly batchSize?: number;
  /** So many ranges of the key, for as many workers at once. Default 1. */
  readonly parallel?: number;
  /** What comes of a row that cannot be changed: the backfill `stop`s there (default), or the row is `set-aside` and counted. */
  readonly onBadRow?: 'stop' | 'set-aside';
}

/** A definition as the database keeps it: whoever works on it needs the code only for `apply`. */
export interface Declared extends Omit<Backfill, 'apply' | 'targetMs' | 'batchSize' | 'parallel' | 'onBadRow'> {
  /** The function itself stays in the migration. */
  readonly apply: boolean;
  readonly targetMs: number;
  readonly batchSize: number;
  readonly parallel: number;
  readonly onBadRow: 'stop' | 'set-aside';
}

const wholeFrom1 =
  (greatest: number): Reader<number> =>
  (value, place) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= greatest
      ? (value as number)
      : refuse(place, `a whole number from 1 to ${greatest}`, shown(value));

const code: Reader<NonNullable<Backfill['apply']>> = (value, place) =>
  typeof value === 'function' ? (value as NonNullable<Backfill['apply']>) : refuse(place, 'a function', shown(value));

const readers = {
  table: tableName,
  where: text,
  set: text,
  apply: code,
  key: names,
  verify: text,
  targetMs: wholeFrom1(60_000),
  batchSize: wholeFrom1(mostRows),
  parallel: wholeFrom1(64),
  onBadRow: oneOf('stop', 'set-aside'),
} satisfies { readonly [Key in keyof Backfill]-?: Reader<NonNullable<Backfill[Key]>> };

/** Reads a definition as its author wrote it. Throws EM_BACKFILL_INVALID with every problem at once. */
export function readDefinition(name: string, given: unknown): Backfill {
  const place: Place = { path: '', problems: [] };
  const read = record<Backfill>(readers)(given, place);
  const asked = isObject(given) ? given : {};
  if (asked['table'] === undefined && isObject(given)) place.problems.push('table: is missing');
  if (isObject(given) && (asked['set'] === undefined) === (asked['apply'] === undefined))
    place.problems.push('set: expected either set or apply');
  if (place.problems.length > 0) throw invalid(name, place.problems);
  return read as Backfill;
}

export function invalid(name: string, problems: readonly string[]): MigrationError {
  return new MigrationError(
    'EM_BACKFILL_INVALID',
    [`the backfill "${name}" is not valid:`, ...problems.map((each) => `- ${each}`)].join('\n  '),
  );
}

export function declaredOf({ apply, targetMs = 200, batchSize = 1000, parallel = 1, onBadRow = 'stop', ...rest }: Backfill): Declared {
  return { ...rest, apply: apply !== undefined, targetMs, batchSize, parallel, onBadRow };
}

/** Of what decides what becomes of a row. How fast it goes, and what is asked afterwards, may change half-way. */
export function hashOf({ table, where, set, apply, key }: Backfill): string {
  const parts = [table, where ?? null, set ?? null, apply ? apply.toString() : null, key ?? null];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
