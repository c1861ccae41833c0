import { asUnreadable, type Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { leavesOf } from './key.js';
import { rangeColumns, type BackfillControl, type BackfillError, type BackfillStatus } from './state.js';
import { isMissing } from './turn.js';

/** What a backfill has come to, over all of its ranges. Counts are numbers, times are Dates. */
export interface BackfillProgress {
  readonly name: string;
  /** That enqueued it; null where none did. */
  readonly migration: string | null;
  /** As the definition has it, until somebody has begun; then schema-qualified and quoted. */
  readonly table: string;
  /** `passed`: all rows are through, and `verify` is being asked. */
  readonly status: BackfillStatus;
  /** How many ranges of the key it was cut into. */
  readonly rangeCount: number;
  /** Rows that it has come past, and how many of those matched and were changed. */
  readonly seenCount: number;
  /** How many of those it has changed. */
  readonly changedCount: number;
  /** How many could not be changed, and were set aside. */
  readonly asideCount: number;
  /** Rows of the table, as its last ANALYZE has it: "of about so many". Undefined where there was none. */
  readonly estimatedCount: number | undefined;
  /** Of the recent batches; undefined while nobody is at work. */
  readonly rowsPerSecond: number | undefined;
  /** How long the rest takes at that speed. */
  readonly remainingMs: number | undefined;
  /** Why it has stopped, where it has. */
  readonly error: BackfillError | undefined;
  readonly enqueuedAt: Date;
  readonly startedAt: Date | undefined;
  readonly workedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  /** Who has paused, resumed, retried or cancelled it last, and when. */
  readonly control: BackfillControl | undefined;
}

type Found = { readonly [Key in keyof BackfillProgress]: BackfillProgress[Key] | null };

/**
 * In the order in which they were enqueued; none where the table is not there. One query; locks and writes nothing. Throws EM_HISTORY_INVALID where the
 * table is not as ensure-migrated makes it.
 */
export async function readProgress(session: Session, tables: Tables, names?: readonly string[]): Promise<readonly BackfillProgress[]> {
  try {
    return (await session.query<Found>(statement(tables.backfills), [names ?? null])).map(progressOf);
  } catch (error) {
    if (isMissing(error)) return [];
    throw await asUnreadable({ session, tables }, error);
  }
}

// Of all columns: one that only the workers need is missed before anybody begins.
const columns = `${rangeColumns}, rows_seen, rows_done, rows_aside, rows_per_second, error, enqueued_at, started_at, worked_at, finished_at, control`;

const statement = (
  backfills: string,
) => `select name, min(migration) as migration, coalesce(min(relation), min(definition #>> '{table,table}'::text[]), min(definition ->> 'table'::text)) as table,
    case ${['failed', 'paused', 'cancelled', 'running', 'queued', 'unverified', 'passed'].map((status) => `when pg_catalog.bool_or(status = '${status}') then '${status}'`).join(' ')} else 'done' end as status,
    count(*)::int as "rangeCount", sum(rows_seen)::float8 as "seenCount", sum(rows_done)::float8 as "changedCount", sum(rows_aside)::float8 as "asideCount",
    (select sum(c.reltuples)::float8 from (${leavesOf('pg_catalog.to_regclass(min(b.relation))')}) l join pg_catalog.pg_class c on c.oid = l.relid
     having min(c.reltuples) >= '0') as "estimatedCount",
    sum(rows_per_second) filter (where status = 'running' and worked_at > pg_catalog.clock_timestamp() - interval '30 s') as "rowsPerSecond",
    (pg_catalog.array_agg(error) filter (where error is not null))[1] as error,
    min(enqueued_at) as "enqueuedAt", min(started_at) as "startedAt", max(worked_at) as "workedAt", max(finished_at) as "finishedAt",
    (pg_catalog.array_agg(control order by range))[1] as control
  from (select ${columns} from ${backfills}) b where $1::text[] is null or name = any ($1) group by name order by min(enqueued_at), name`;

function progressOf(found: Found): BackfillProgress {
  const known = Object.fromEntries(Object.entries(found).map(([key, value]) => [key, value ?? undefined])) as unknown as BackfillProgress;
  return Object.freeze({ ...known, migration: found.migration, remainingMs: remainingMs(known) });
}

function remainingMs({ status, estimatedCount, seenCount, rowsPerSecond }: BackfillProgress): number | undefined {
  if (status !== 'running' || estimatedCount === undefined || !rowsPerSecond) return undefined;
  return Math.round((Math.max(0, estimatedCount - seenCount) / rowsPerSecond) * 1_000);
}

/** Whether somebody who works on it has still something to do. */
export function isOpen({ status }: Pick<BackfillProgress, 'status'>): boolean {
  return status === 'queued' || status === 'running' || status === 'passed';
}
