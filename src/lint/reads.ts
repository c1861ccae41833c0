import type { ColumnRef, FuncCall, Node, SelectStmt } from 'libpg-query';
import { bodiesIn, pinnedBy, stringsOf, type Action } from './actions/index.js';
import type { Relation } from './catalog/index.js';
import type { TableEffect } from './effects/index.js';
import type { Judging } from './rule.js';

/** The tables that a query reads from end to end, as far as it shows: without LIMIT, and by no column that an index begins with. */
export function readInFull(action: Action, { catalog, statement: { node } }: Judging): readonly TableEffect[] {
  if (action.kind === 'create-view') return action.materialized ? action.reads.map((name) => scanOf(catalog.relation(name))) : [];
  if (action.kind !== 'query' || node === undefined || !('SelectStmt' in node)) return [];
  const { fromClause = [], whereClause, limitCount, targetList = [], havingClause } = node.SelectStmt;
  if (limitCount !== undefined) return [];
  const pins = pinnedBy(whereClause);
  const ends = whereClause === undefined ? endsIn([targetList, havingClause]) : [];
  return tablesIn(fromClause)
    .filter(({ schema }) => schema !== 'pg_catalog' && schema !== 'information_schema')
    .map((name) => catalog.relation(name))
    .filter(({ indexes }) => !indexes.some((index) => isFound(index, pins) || (!index.partial && index.valid && isFound(index, ends))))
    .map(scanOf);
}

function isFound({ columns: [first] }: Relation['indexes'][number], columns: readonly string[]): boolean {
  return typeof first === 'string' && columns.includes(first);
}

// min() and max() of one column, and nothing else of any: the ends of an index tell them.
function endsIn(said: unknown): string[] {
  const calls = (bodiesIn(said, 'FuncCall') as FuncCall[]).filter(({ funcname }) => /^(?:min|max)$/.test(stringsOf(funcname).at(-1) ?? ''));
  const inside = calls.flatMap(({ args }) => columnsIn(args));
  const [column] = inside;
  const isOne = column !== undefined && inside.every((each) => each === column) && columnsIn(said).length === inside.length;
  return isOne ? [column] : [];
}

function columnsIn(value: unknown): string[] {
  return (bodiesIn(value, 'ColumnRef') as ColumnRef[]).map(({ fields }) => stringsOf(fields).at(-1) ?? '');
}

function scanOf(relation: Relation): TableEffect {
  return { relation, mode: 'ACCESS SHARE', work: 'scan' };
}

function tablesIn(fromClause: NonNullable<SelectStmt['fromClause']>) {
  return fromClause.flatMap((each: Node) => {
    if (!('RangeVar' in each)) return [];
    const { schemaname, relname = '' } = each.RangeVar;
    return [{ name: relname, ...(schemaname !== undefined && { schema: schemaname }) }];
  });
}
