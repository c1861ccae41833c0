import { jsonLiteral, literal } from '../sql.js';
import type { BackfillError, RangeRow } from './state.js';
import { commitRange, settle, type Place } from './turn.js';

/** Asks the query that tells whether all is as it should be, and says that the backfill is done, or that it is not. Ends the transaction of the claim. */
export async function finish(place: Place, row: RangeRow): Promise<'done' | 'unverified'> {
  const { verify } = row.definition;
  await settle(place, row, { lock: 1_000, statement: 0 });
  const value = verify === undefined ? 0 : await readValue(place, verify);
  const isGood = value === null || value === undefined || value === false || Number(value) === 0;
  const end = isGood ? 'done' : 'unverified';
  const error: BackfillError | undefined = isGood ? undefined : { code: 'verify', message: `its query \`verify\` says ${shown(value)}` };
  const all = `update ${place.tables.backfills} set status = ${literal(end)}, finished_at = clock_timestamp(), error = ${error ? jsonLiteral(error) : 'null'} where name = ${literal(row.name)};`;
  await commitRange(place, row, { set: [], also: all });
  return end;
}

async function readValue({ session }: Place, query: string): Promise<unknown> {
  const [row] = await session.query<Record<string, unknown>>(query);
  return row && Object.values(row)[0];
}

// It may be a value of a row, if the query was written so.
function shown(value: unknown): string {
  return typeof value === 'boolean' || !Number.isNaN(Number(value)) ? String(value) : 'something that is neither 0, false nor null';
}
