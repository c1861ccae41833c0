import type { Session } from '../session/index.js';
import { identifier } from '../sql.js';
import { callApply } from './apply.js';
import type { Backfill } from './definition.js';
import { boundOf, columnsOf, textOf, type KeyColumn } from './key.js';
import type { RangeRow } from './state.js';

/** A range on which somebody has begun. */
export interface OpenRange extends RangeRow {
  readonly relation: string;
  readonly key: readonly KeyColumn[];
}

export interface BatchRequest {
  readonly session: Session;
  readonly row: OpenRange;
  /** Of the code, where the definition has one. */
  readonly apply: Backfill['apply'];
  /** The row at the end of the page only, wherever the range stands: it was set aside. */
  readonly reach?: 'row';
  /** How long the code may take. */
  readonly limitMs: number;
}

/** The next rows of a range, as far as its batch reaches. */
export interface Page {
  readonly seenCount: number;
  /** The key of its last row: of the range's, where that is nearer. */
  readonly end: readonly string[];
  readonly isLast: boolean;
}

/**
 * Finds where the next batch ends; changes and locks nothing. It is counted in rows of the table, not in rows that match: a batch in which few do
 * is as short as any.
 */
export async function readPage({ session, row }: Pick<BatchRequest, 'session' | 'row'>, size: number): Promise<Page> {
  const { relation, key, cursor } = row;
  const upper = row.upper ?? [];
  const columns = columnsOf(key);
  const rest = `from ${relation} t where (${columns}) <= ${boundOf(key, 1)} ${cursor ? `and (${columns}) > ${boundOf(key, 2)}` : ''}`;
  const bounds = cursor ? [upper, cursor] : [upper];
  const [last] = await session.query<{ key: readonly string[] }>(
    `select ${textOf(key)} as key ${rest} order by ${columns} offset ${size - 1} limit 1`,
    bounds,
  );
  if (last) return { seenCount: size, end: last.key, isLast: false };
  const [left] = await session.query<{ count: number }>(`select pg_catalog.count(*)::int as count ${rest}`, bounds);
  return { seenCount: left?.count ?? 0, end: upper, isLast: true };
}

/**
 * Changes the rows of a page, in the transaction that is open: they are locked in the order of the key, FOR NO KEY UPDATE, then changed. Gives how many
 * those are. Throws what the server says, and what `apply` throws.
 */
export async function changeRows(request: BatchRequest, { end, seenCount }: Page): Promise<number> {
  if (seenCount === 0) return 0;
  return request.apply ? await applied(request, end, request.apply) : await updated(request, end);
}

/** The rows of a batch, and the parameters of that: its end, and what comes before it, where something does. */
function matching({ row: { key, cursor, definition }, reach }: BatchRequest, end: readonly string[]): [where: string, values: unknown[]] {
  const [columns, after] = [columnsOf(key), reach === 'row' ? null : cursor];
  const range = `(${columns}) ${reach === 'row' ? '=' : '<='} ${boundOf(key, 1)}${after ? ` and (${columns}) > ${boundOf(key, 2)}` : ''}`;
  return [definition.where === undefined ? range : `${range} and (${definition.where}\n)`, after ? [end, after] : [end]];
}

async function updated(request: BatchRequest, end: readonly string[]): Promise<number> {
  const { session, row } = request;
  const { relation, key, definition } = row;
  const [where, values] = matching(request, end);
  await session.query(
    `select pg_catalog.count(*) from (select from ${relation} t where ${where} order by ${columnsOf(key)} for no key update) locked`,
    values,
  );
  const { results } = await session.send({ text: `update ${relation} t set ${definition.set}\nwhere ${where}`, values });
  return results[0]?.rowCount ?? 0;
}

// A Date has not all the digits of a timestamp, and an interval comes as an object: as a part of the key they are handed over as text.
function exactOf(key: readonly KeyColumn[]): string[] {
  const timed = key.filter(({ type }) => /^(timestamp|date$|interval)/.test(type));
  return timed.map(({ name }) => `t.${identifier(name)}::text as ${identifier(name)}`);
}

async function applied(request: BatchRequest, end: readonly string[], apply: NonNullable<Backfill['apply']>): Promise<number> {
  const { session, row, reach, limitMs } = request;
  const { relation, key, cursor, name, range } = row;
  const [where, values] = matching(request, end);
  const rows = await session.query<Record<string, unknown>>(
    `select ${['t.*', ...exactOf(key)].join(', ')} from ${relation} t where ${where} order by ${columnsOf(key)} for no key update`,
    values,
  );
  const id = reach === 'row' ? `${name}/aside/${end.join(',')}` : `${name}/${range}/${cursor?.join(',') ?? ''}`;
  return rows.length === 0 ? 0 : await callApply({ session, row, rows, apply, limitMs, batch: { backfill: name, id } });
}
