import type { DeleteStmt, Node, UpdateStmt } from 'libpg-query';
import type { ActionOf } from '../actions/index.js';
import type { Relation } from '../catalog/index.js';
import { identifier } from '../../sql.js';
import { changed } from '../change.js';
import { defineRule, type Statement, type Write } from '../rule.js';
import { isLarge } from '../surroundings.js';
import { listWords, outsideWords, tableWords } from '../words.js';

export const bulkDml = defineRule({
  id: 'bulk-dml',
  on: ['update', 'delete'],
  spares: 'small',
  find(action, at) {
    const { catalog, statement, step } = at;
    const relation = catalog.relation(action.table);
    const joined = (action.joined ?? []).map((each) => catalog.relation(each));
    const isJoined = joined.length > 0 && joined.every((each) => isLarge(each, at));
    if (!isJoined && !isOfAllRows(action, relation)) return undefined;
    const rows = isJoined
      ? `each row of ${tableWords(relation)} that has one in ${listWords(joined.map(tableWords))}`
      : `every row of ${tableWords(relation)}`;
    return {
      table: relation,
      message: `${action.kind} changes ${rows} in one transaction: whoever wants to write to one of them waits until it ends, and the table is bloated by as much as it holds`,
      remedy: (write) => `Do it in batches by the key, and ${outsideWords(step)}: \`${batchOf(statement, relation, write)}\`, and so on.`,
      unless: isJoined ? 'what it is joined with has few rows' : undefined,
    };
  },
});

// A column that this migration has added is null in every row.
function isOfAllRows({ where, whereNull }: ActionOf<'update' | 'delete'>, { columns }: Relation): boolean {
  return where !== 'real' || columns.some(({ name, born, hasDefault }) => name === whereNull && born === true && !hasDefault);
}

function batchOf(statement: Statement, { constraints }: Relation, write: Write): string {
  const key = constraints.find(({ kind, columns }) => kind === 'p' && columns.length === 1)?.columns[0] ?? 'id';
  // What came as a value is nobody's to read in a log.
  if (statement.text !== statement.sql) return `... where ${identifier(key)} between 1 and 10000`;
  const inBatch = (body: Body): Body => ({ ...body, whereClause: batchIn(body, key) });
  const updated = changed({ ...statement, write }, 'UpdateStmt', inBatch);
  return updated === statement.sql ? changed({ ...statement, write }, 'DeleteStmt', inBatch) : updated;
}

type Body = UpdateStmt & DeleteStmt;

// A join stays; what leaves out no row goes.
function batchIn({ relation, whereClause, fromClause = [], usingClause = [] }: Body, key: string): Node {
  const isJoined = fromClause.length + usingClause.length > 0;
  const fields = [...(isJoined ? [relation?.alias?.aliasname ?? relation?.relname ?? ''] : []), key].map((sval) => ({ String: { sval } }));
  const batch: Node = {
    A_Expr: {
      kind: 'AEXPR_BETWEEN',
      name: [{ String: { sval: 'BETWEEN' } }],
      lexpr: { ColumnRef: { fields } },
      rexpr: { List: { items: [1, 10_000].map((ival) => ({ A_Const: { ival: { ival } } })) } },
    },
  };
  return isJoined && whereClause ? { BoolExpr: { boolop: 'AND_EXPR', args: [whereClause, batch] } } : batch;
}
