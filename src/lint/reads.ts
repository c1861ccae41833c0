import type { Node, SelectStmt } from 'libpg-query';
import { pinnedBy, type Action } from './actions/index.js';
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
  return tablesIn(fromClause)
    .filter(({ schema }) => schema !== 'pg_catalog' && schema !== 'information_schema')
    .map((name) => catalog.relation(name))
    .filter(({ indexes }) => !indexes.some(({ columns: [first] }) => typeof first === 'string' && pins.includes(first)))
    .map(scanOf);
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
