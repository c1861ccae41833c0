import type { ColumnRef, FuncCall, Node, SelectStmt } from 'libpg-query';
import { bodiesIn, pinnedBy, stringsOf, type Action } from './actions/index.js';
import type { Relation } from './catalog/index.js';
import type { TableEffect } from './effects/index.js';
import type { Judging } from './rule.js';

/** The tables that a query reads from end to end, as far as it shows: without LIMIT, and by no column that an index begins with. */
export function readInFull(action: Action, { catalog, statement: { node } }: Judging): readonly TableEffect[] {
  if (action.kind === 'create-view') return action.materialized ? action.reads.map((name) => scanOf(catalog.relation(name))) : [];
  if (action.kind !== 'query' || node === undefined || !('SelectStmt' in node)) return [];
  const { fromClause = [], whereClause, limitCount } = node.SelectStmt;
  if (limitCount !== undefined) return [];
  const pins = pinnedBy(whereClause);
  const ends = endsIn(node.SelectStmt);
  return tablesIn(fromClause)
    .filter(({ schema }) => schema !== 'pg_catalog' && schema !== 'information_schema')
    .map((name) => catalog.relation(name))
    .filter(({ indexes }) => !indexes.some((index) => isFound(index, pins) || (hasEnds(index) && isFound(index, ends))))
    .map(scanOf);
}

function isFound({ columns: [first] }: Relation['indexes'][number], columns: readonly string[]): boolean {
  return typeof first === 'string' && columns.includes(first);
}

function hasEnds({ method, partial, valid }: Relation['indexes'][number]): boolean {
  return method === 'btree' && !partial && valid;
}

// min() and max() of one column of one table, and nothing else: the ends of an index tell them.
function endsIn({ fromClause = [], whereClause, groupClause, targetList = [], havingClause }: SelectStmt): string[] {
  if (fromClause.length !== 1 || whereClause !== undefined || groupClause !== undefined) return [];
  const said = [targetList, havingClause];
  const calls = (bodiesIn(said, 'FuncCall') as FuncCall[]).filter(({ funcname }) => !around.has(stringsOf(funcname).at(-1) ?? ''));
  const [column, ...others] = calls.flatMap(({ args = [] }) => (args.length === 1 ? columnsIn(args) : []));
  const isEach = calls.every(isEnd) && others.every((each) => each === column) && columnsIn(said).length === calls.length;
  return column !== undefined && isEach ? [column] : [];
}

// What may stand around an end without a look at any row.
const around: ReadonlySet<string> = new Set(['setval', 'pg_get_serial_sequence', 'pg_sequence_last_value']);

function isEnd({ funcname, args = [], agg_star, over }: FuncCall): boolean {
  const [only, second] = args;
  const isColumn = only !== undefined && second === undefined && 'ColumnRef' in only;
  return /^(?:min|max)$/.test(stringsOf(funcname).at(-1) ?? '') && isColumn && agg_star !== true && over === undefined;
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
