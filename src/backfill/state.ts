import type { Tables } from '../history/index.js';
import type { KeyColumn } from './key.js';
import type { Declared } from './definition.js';

/**
 * `queued`: nobody has begun. `passed`: this range is through, others may not be, and `verify` is still to be asked. `unverified`: it says that
 * something is wrong. Work is to be done where it is one of the first three.
 */
export type BackfillStatus = 'queued' | 'running' | 'passed' | 'paused' | 'failed' | 'unverified' | 'done' | 'cancelled';

/** One range of a backfill, which is all of it unless it has several. */
export interface RangeRow {
  readonly name: string;
  readonly range: number;
  readonly migration: string | null;
  readonly definition: Declared;
  readonly hash: string;
  readonly status: BackfillStatus;
  /** The schema-qualified, quoted name of the table, and the columns that it is walked by; null until somebody has begun. */
  readonly relation: string | null;
  readonly key: readonly KeyColumn[] | null;
  /** The key of the last row that is done; null at the start. Values as text. */
  readonly cursor: readonly string[] | null;
  /** The key of the last row that is to be done; null in an empty table. */
  readonly upper: readonly string[] | null;
  readonly batchSize: number;
  readonly searchPath: string;
}

/** What went wrong, without a value of any column but the key. */
export interface BackfillError {
  readonly code: string;
  readonly message: string;
  readonly key?: readonly string[];
}

/** What somebody has told a backfill to do. */
export interface BackfillControl {
  readonly action: 'pause' | 'resume' | 'retry' | 'cancel';
  /** Of the operating system. */
  readonly user: string;
  readonly host: string;
  readonly application: string;
  /** By the server's clock, in the form of Date.toISOString(). */
  readonly at: string;
}

/** Makes the two tables of backfills where they are missing: one row a range, and the keys of rows that were set aside. One statement each. */
export function renderCreateState({ backfills, aside }: Pick<Tables, 'backfills' | 'aside'>): readonly [string, string] {
  return [
    `create table if not exists ${backfills} (name text, range integer, migration text, definition jsonb not null, hash text not null, search_path text not null, status text not null check (status in ('queued', 'running', 'passed', 'paused', 'failed', 'unverified', 'done', 'cancelled')), relation text, key jsonb, cursor text[], upper text[], batch_size integer not null, rows_seen bigint not null default 0, rows_done bigint not null default 0, rows_aside bigint not null default 0, rows_per_second double precision, error jsonb, enqueued_at timestamptz not null default clock_timestamp(), started_at timestamptz, worked_at timestamptz, finished_at timestamptz, control jsonb, primary key (name, range)) with (fillfactor = 50)`,
    `create table if not exists ${aside} (name text not null, key text[] not null, error jsonb not null, at timestamptz not null default clock_timestamp(), primary key (name, key))`,
  ];
}

/** The columns of a {@link RangeRow}. */
export const rangeColumns = `name, range, migration, definition, hash, status, relation, key, cursor, upper, batch_size as "batchSize", search_path as "searchPath"`;
