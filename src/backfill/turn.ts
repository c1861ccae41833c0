import { sqlStateOf } from '../errors.js';
import type { Tables } from '../history/index.js';
import { renderSettings, type Session, type Setting } from '../session/index.js';
import { jsonLiteral, literal } from '../sql.js';
import { rangeColumns, type BackfillError, type RangeRow } from './state.js';

/** What a turn of work stands on. */
export interface Place {
  readonly session: Session;
  readonly tables: Tables;
}

export interface Wanted {
  /** Only these; all where undefined. */
  readonly names?: readonly string[] | undefined;
  /** Not these: this process cannot work on them. */
  readonly without: readonly Pick<RangeRow, 'name' | 'hash'>[];
}

const claimTimeoutMs = 1_000;

/**
 * Begins a transaction and locks the row of a range in which there is something to do, which nobody else is at: that lock is the lease of one
 * batch. The one that was longest left alone comes first, so that several go on side by side. Undefined, and nothing is open, where there is none.
 */
export async function claimRange({ session, tables: { backfills } }: Place, { names, without }: Wanted): Promise<RangeRow | undefined> {
  const { results } = await session.send(
    `${renderBegin(session)}
    select ${rangeColumns} from ${backfills} b where status in ('queued', 'running', 'passed')
      and (status <> 'passed' or (range = 0 and not exists (select from ${backfills} o where o.name = b.name and o.status <> 'passed')))
      ${names ? `and name = any (${arrayOf(names)})` : ''} ${without.map(({ name, hash }) => `and (name, hash) <> (${literal(name)}, ${literal(hash)})`).join(' ')}
    order by worked_at nulls first, name, range limit 1 for update skip locked`,
  );
  const row = results.at(-1)?.rows[0] as RangeRow | undefined;
  if (!row) await session.send('rollback');
  return row;
}

/**
 * Begins a transaction and locks all ranges of a backfill: waits for the batches that are under way, and none begins. The first comes first, for
 * everybody: who holds it may add others (prepare), or change them all (finish). Throws 55P03 when that takes longer than `limitMs`; 0: no limit.
 */
export async function claimWhole({ session, tables: { backfills } }: Place, name: string, limitMs: number): Promise<readonly RangeRow[]> {
  const { results } = await session.send(
    `${renderBegin(session, [...limits(0), ['lock_timeout', String(limitMs)]])}
    select from ${backfills} where name = ${literal(name)} and range = 0 for update;
    select ${rangeColumns} from ${backfills} where name = ${literal(name)} order by range for update`,
  );
  return (results.at(-1)?.rows ?? []) as RangeRow[];
}

/** The same of its first range only: waits for the batch that is under way there. Undefined where there is no such backfill. */
export async function claimFirst({ session, tables: { backfills } }: Place, name: string): Promise<RangeRow | undefined> {
  const { results } = await session.send(
    `${renderBegin(session, limits(0))}
    select ${rangeColumns} from ${backfills} where name = ${literal(name)} and range = 0 for update`,
  );
  return results.at(-1)?.rows[0] as RangeRow | undefined;
}

/** The lease of one range that is known, if nobody else is at it and it still stands where it stood. */
export async function claimAgain({ session, tables: { backfills } }: Place, { name, range, cursor }: RangeRow): Promise<boolean> {
  const { results } = await session.send(
    `${renderBegin(session)}
    select from ${backfills} where name = ${literal(name)} and range = ${literal(range)} and status = 'running'
      and cursor is not distinct from ${cursor ? arrayOf(cursor) : 'null'} for update skip locked`,
  );
  const claimed = results.at(-1)?.rowCount === 1;
  if (!claimed) await session.send('rollback');
  return claimed;
}

/** For as long as the transaction lasts: names mean what they meant in the migration, and nobody waits for long behind a batch. */
export async function settle(
  { session }: Place,
  row: RangeRow,
  timeoutMs: { readonly lock: number; readonly statement: number },
): Promise<void> {
  const settings: Setting[] = [
    ['search_path', row.searchPath],
    ['datestyle', 'ISO'], // keys travel as text, and come back as the same values
    ['intervalstyle', 'postgres'],
    ['extra_float_digits', '3'],
    ['row_security', 'off'], // an error, where a policy would hide rows from us that are then taken for done
    ['lock_timeout', String(timeoutMs.lock)],
    ['statement_timeout', String(timeoutMs.statement)],
  ];
  await session.send(renderSettings(settings, 'local'));
}

// Written out: `default_transaction_read_only` of the role holds for this transaction already.
function renderBegin({ userSettings }: Session, settings: readonly Setting[] = limits(claimTimeoutMs)): string {
  return `begin isolation level read committed read write; ${renderSettings([...userSettings, ...settings], 'local')}`;
}

// A worker that is frozen or cut off loses its batch, and the rows that it has locked, by the server's clock.
function limits(timeoutMs: number): readonly Setting[] {
  return [
    ['lock_timeout', String(timeoutMs)],
    ['statement_timeout', String(timeoutMs * 10)],
    ['idle_in_transaction_session_timeout', '60000'],
    ['synchronous_commit', 'on'],
  ];
}

/** Assignments of the claimed row, and statements beside them. */
export interface Changes {
  readonly set: readonly string[];
  readonly also?: string;
}

/** Ends the open transaction with a change of the claimed row, and what else is to be written. Throws when the server does not answer with COMMIT. */
export async function commitRange({ session, tables }: Place, row: RangeRow, { set, also = '' }: Changes): Promise<void> {
  await commit(
    { session, tables },
    `update ${tables.backfills} set ${[...set, 'worked_at = clock_timestamp()'].join(', ')} where name = ${literal(row.name)} and range = ${row.range};
    ${also}`,
  );
}

/** Ends the open transaction with these statements. Throws when the server does not answer with COMMIT. */
export async function commit({ session }: Place, statements: string): Promise<void> {
  const { tags } = await session.send(`${statements} commit`);
  if (tags.at(-1) !== 'COMMIT') throw new Error(`the server answered the COMMIT with ${tags.at(-1) ?? 'nothing'}`);
}

/** Takes back what is open, if anything is. */
export async function rollBack({ session }: Pick<Place, 'session'>): Promise<void> {
  if (!session.wire.lost && session.wire.status !== 'I') await session.send('rollback');
}

/** Stops a backfill, with the reason. A transaction by itself; waits for batches that are under way. */
export async function fail(place: Place, name: string, error: BackfillError): Promise<void> {
  await claimWhole(place, name, 0);
  await commit(
    place,
    `update ${place.tables.backfills} set status = 'failed', error = ${jsonLiteral(error)}
     where name = ${literal(name)} and status in ('queued', 'running', 'passed');`,
  );
}

const patient: readonly Setting[] = [
  ['lock_timeout', '0'],
  ['statement_timeout', '0'],
];

/** One statement on rows that are not claimed, in a transaction of its own; waits for batches that are under way. */
export async function changeAlone(place: Place, statement: string): Promise<void> {
  try {
    await place.session.send(`${renderBegin(place.session, patient)} ${statement}; commit`);
  } catch (error) {
    await rollBack(place);
    throw error;
  }
}

export function arrayOf(values: readonly string[]): string {
  return `array[${values.map((value) => literal(value)).join(', ')}]::text[]`;
}

/** Whether the tables of backfills are not there: nobody has ever enqueued one. */
export function isMissing(error: unknown): boolean {
  return sqlStateOf(error) === '42P01';
}
