import { asUnreadable, type Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { jsonLiteral, literal } from '../sql.js';
import { changeRows, type OpenRange } from './batch.js';
import { hashOf, type Backfill } from './definition.js';
import { errorOf, kindOf } from './failure.js';
import type { BackfillError, RangeRow } from './state.js';
import { arrayOf, claimFirst, commit, isMissing, rollBack, settle, type Place } from './turn.js';
import type { Crew } from './worker.js';

/** A row that a backfill could not change: its key, and why, without a value of any other column. */
export interface RowAside {
  readonly name: string;
  readonly key: readonly string[];
  readonly error: BackfillError;
  readonly at: Date;
}

/** In the order in which they were set aside. Locks and writes nothing. */
export async function readAside(session: Session, tables: Tables, names?: readonly string[]): Promise<readonly RowAside[]> {
  try {
    return await session.query<RowAside>(
      `select name, key, error, at from ${tables.aside} where $1::text[] is null or name = any ($1) order by name, at, key`,
      [names ?? null],
    );
  } catch (error) {
    if (isMissing(error)) return [];
    throw await asUnreadable({ session, tables }, error);
  }
}

/**
 * Tries the rows of a backfill that were set aside again, each in a transaction of its own in which it is changed and no longer set aside; one that fails
 * again stays, with what it failed with now. Waits for one batch of the first range each time.
 */
export async function tryAside(crew: Crew, place: Place, { name, code }: Omit<Trying, 'key'>): Promise<void> {
  const rows = await readAside(place.session, place.tables, [name]);
  let changedCount = 0;
  for (const { key } of rows) {
    crew.call.stop.throwIfAborted();
    if (await tryRow(place, { name, key, code })) changedCount++;
  }
  if (rows.length > 0)
    crew.call.report.info('backfill.aside-tried', { backfill: name, changedCount, leftCount: rows.length - changedCount });
}

interface Trying {
  readonly name: string;
  readonly key: readonly string[];
  readonly code: Backfill | undefined;
}

async function tryRow(place: Place, { name, key, code }: Trying): Promise<boolean> {
  const { session, tables } = place;
  const ours = `where name = ${literal(name)} and key = ${arrayOf(key)}`;
  try {
    const row = await claimFirst(place, name);
    if (!row || !canBeTried(row, code)) return await giveUp(place);
    await settle(place, row, { lock: 1_000, statement: 60_000 });
    const { results } = await session.send(`delete from ${tables.aside} ${ours}`);
    if (results[0]?.rowCount !== 1) return await giveUp(place); // somebody else has tried it
    const changedCount = await changeRows(
      { session, row, apply: code?.apply, reach: 'row', limitMs: 50_000 },
      { end: key, seenCount: 1, isLast: true },
    );
    await commit(place, renderTried(place, name, changedCount));
    return true;
  } catch (error) {
    if (session.wire.lost || kindOf(error) === 'lost') throw session.lostOr(error);
    await rollBack(place);
    await session.send(`update ${tables.aside} set error = ${jsonLiteral(errorOf(error, key))}, at = clock_timestamp() ${ours}`);
    return false;
  }
}

function canBeTried(row: RangeRow, code: Backfill | undefined): row is OpenRange {
  if (row.relation === null || row.status === 'cancelled' || row.status === 'paused') return false;
  return row.definition.apply ? code !== undefined && hashOf(code) === row.hash : true;
}

async function giveUp(place: Place): Promise<false> {
  await rollBack(place);
  return false;
}

function renderTried({ tables: { backfills } }: Place, name: string, changedCount: number): string {
  const ours = `where name = ${literal(name)}`;
  return `update ${backfills} set rows_aside = rows_aside - 1, rows_done = rows_done + ${changedCount}
    ${ours} and range = (select min(range) from ${backfills} ${ours} and rows_aside > 0);`;
}
