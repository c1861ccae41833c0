import type { Node } from 'libpg-query';
import type { Action } from './action.js';
import { isOn } from '../../statement-options.js';
import { tableOf } from './names.js';
import { objectReaders } from './read-objects.js';
import { rowReaders } from './read-rows.js';
import { sessionReaders } from './read-session.js';
import { tableReaders } from './read-tables.js';
import type { Readers } from './readers.js';

/** What one statement does. Pure; a block of code (DO) is read by `readBlock`, since it takes another parser. */
export function readActions(node: Node): Action[] {
  const [[kind, body] = ['', undefined]] = Object.entries(node) as [string, unknown][];
  const reader = (readers as Readonly<Record<string, ((body: unknown) => Action[]) | undefined>>)[kind];
  return [...(reader?.(body) ?? [{ kind: 'other', statement: kind } as const]), ...withinWith(node)];
}

const readers: Readers = {
  ...tableReaders,
  ...rowReaders,
  ...objectReaders,
  ...sessionReaders,
  CreateSchemaStmt: ({ schemaElts = [], schemaname, authrole, if_not_exists = false }) => [
    { kind: 'create-schema', name: { name: schemaname ?? authrole?.rolename ?? '' }, ifNotExists: if_not_exists },
    ...schemaElts.flatMap(readActions).map((action) => inSchema(action, schemaname)),
  ],
  CommentStmt: () => [],
  // What these carry is taken to run, also what is only prepared.
  ExplainStmt: ({ query, options }) => (isOn(options, 'analyze') ? carried(query) : []),
  PrepareStmt: ({ query }) => carried(query),
  DeclareCursorStmt: ({ query }) => carried(query),
  CopyStmt: ({ relation, is_from = false, query }) => {
    if (query) return carried(query);
    return is_from ? [{ kind: 'copy', table: tableOf(relation) }] : [];
  },
};

function carried(query: Node | undefined): Action[] {
  return query ? readActions(query) : [];
}

// The statements inside WITH.
function withinWith(node: Node): Action[] {
  const [body] = Object.values(node) as { withClause?: { ctes?: Node[] } }[];
  return (body?.withClause?.ctes ?? []).flatMap((each) => {
    const query = 'CommonTableExpr' in each ? each.CommonTableExpr.ctequery : undefined;
    return query ? readActions(query).filter(({ kind }) => kind !== 'query') : [];
  });
}

// What stands inside CREATE SCHEMA belongs to it.
function inSchema(action: Action, schema: string | undefined): Action {
  if (schema === undefined || !('table' in action) || action.table?.schema !== undefined) return action;
  return { ...action, table: { schema, name: action.table?.name ?? '' } };
}
