import type { Tables } from '../history/index.js';
import type { UnfinishedBackfill } from '../outcome.js';
import type { Session } from '../session/index.js';
import { migrationId, type Migration } from '../source/index.js';
import { definitionsIn, refusalOf } from './definitions.js';
import { readProgress, type BackfillProgress } from './progress.js';
import type { RangeRow } from './state.js';

type Unfinished = BackfillProgress & Pick<UnfinishedBackfill, 'status'>;

/** Whether it is neither done nor given up: somebody will work on it, or a person has to see to it. */
export function isUnfinished(progress: BackfillProgress): progress is Unfinished {
  return progress.status !== 'done' && progress.status !== 'cancelled';
}

/** What is not done, in the order in which it was enqueued. One query; locks and writes nothing. */
export async function readUnfinished(session: Session, tables: Tables): Promise<readonly Unfinished[]> {
  return (await readProgress(session, tables)).filter(isUnfinished);
}

/** For an outcome. Pure. */
export function shortOf({ name, status, seenCount, estimatedCount, remainingMs, error }: Unfinished): UnfinishedBackfill {
  return Object.freeze({ name, status, seenCount, estimatedCount, remainingMs, error });
}

/** How far it is, for a person. Pure. */
export function describeProgress({ status, seenCount, estimatedCount, error }: BackfillProgress): string {
  const of = estimatedCount === undefined ? '' : ` of about ${Math.max(estimatedCount, seenCount)}`;
  return `${status}, ${seenCount}${of} rows seen${error ? `: ${error.message}` : ''}`;
}

/** A backfill on which this code, though it has its migration, cannot work. */
export interface ChangedBackfill {
  readonly name: string;
  readonly migration: string;
  readonly reason: string;
}

/** Compares what is not done with the code's migrations, of which it imports those that have enqueued it. One query; locks and writes nothing. */
export async function readChanged(
  session: Session,
  { backfills }: Tables,
  migrations: readonly Migration[],
): Promise<readonly ChangedBackfill[]> {
  const rows = await session.query<Pick<RangeRow, 'name' | 'definition' | 'hash'> & { readonly migration: string }>(
    `select name, migration, definition, hash from ${backfills} where range = 0 and migration is not null and status not in ('done', 'cancelled') order by enqueued_at, name`,
  );
  const here = new Set(migrations.map(({ id }) => id));
  const definitionOf = definitionsIn(migrations);
  const changed: ChangedBackfill[] = [];
  for (const row of rows.filter(({ migration }) => here.has(migrationId(migration)))) {
    const reason = refusalOf(row, await definitionOf(row));
    if (reason !== undefined) changed.push({ name: row.name, migration: row.migration, reason });
  }
  return changed;
}
