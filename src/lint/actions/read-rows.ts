import type { FuncCall, InsertStmt, Node } from 'libpg-query';
import type { Action, ActionOf } from './action.js';
import { nullIn, pinnedBy, whereOf } from './column.js';
import { bodiesIn, functionsIn, relationsIn, stringsOf, tableOf, tablesIn, writtenName } from './names.js';
import { constantOf } from './read-session.js';
import { createdFromQuery } from './read-tables.js';
import type { Readers } from './readers.js';

/** Rows, and queries with what they call. */
export const rowReaders: Readers = {
  TruncateStmt: ({ relations, behavior }) =>
    tablesIn(relations).map((each) => ({ kind: 'truncate', table: each, cascade: behavior === 'DROP_CASCADE' })),
  InsertStmt: readInsert,
  MergeStmt: ({ relation }) => [{ kind: 'merge', table: tableOf(relation) }],
  UpdateStmt: ({ relation, whereClause, fromClause, targetList = [] }) => {
    const columns = targetList.flatMap((each) => ('ResTarget' in each ? [each.ResTarget.name ?? ''] : []));
    return [{ kind: 'update', table: tableOf(relation), columns, ...chosen(whereClause, fromClause) }];
  },
  DeleteStmt: ({ relation, whereClause, usingClause }) => [
    { kind: 'delete', table: tableOf(relation), columns: [], ...chosen(whereClause, usingClause) },
  ],
  CallStmt: ({ funccall }) => [{ kind: 'opaque', why: 'call', name: stringsOf(funccall?.funcname).join('.') }],
  SelectStmt: (body) => {
    const into = body.intoClause?.rel;
    if (into) return [createdFromQuery(into, { SelectStmt: body })];
    return [{ kind: 'query', reads: relationsIn(body) }, ...settingsIn(body), ...calledIn(body)];
  },
};

function readInsert({ relation, selectStmt }: InsertStmt): Action[] {
  const isListed = selectStmt === undefined || ('SelectStmt' in selectStmt && selectStmt.SelectStmt.valuesLists !== undefined);
  return [
    { kind: 'insert', table: tableOf(relation), rows: isListed ? 'listed' : 'query', reads: isListed ? [] : relationsIn(selectStmt) },
  ];
}

function chosen(
  where: Node | undefined,
  others: readonly Node[] | undefined,
): Pick<ActionOf<'update' | 'delete'>, 'where' | 'pins' | 'whereNull'> {
  if (others !== undefined) return { where: 'real', pins: [] };
  const whereNull = nullIn(where);
  return { where: whereOf(where), pins: pinnedBy(where), ...(whereNull !== undefined && { whereNull }) };
}

// select set_config('search_path', 'x', false) is a SET.
function settingsIn(select: unknown): Action[] {
  const calls = bodiesIn(select, 'FuncCall') as FuncCall[];
  return calls
    .filter(({ funcname }) => stringsOf(funcname).at(-1) === 'set_config')
    .map(({ args = [] }) => {
      const [name = '', value = '', local = ''] = args.map(constantOf);
      return { kind: 'set', name, local: local === 'true', values: value.split(',').map((each) => each.trim()) };
    });
}

function calledIn(select: unknown): Action[] {
  return functionsIn(select).map((name) => ({ kind: 'opaque', why: 'function', name: writtenName(name) }));
}
