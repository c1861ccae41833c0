import type { Node } from 'libpg-query';
import type { ActionOf } from '../actions/index.js';
import type { Relation } from '../catalog/index.js';
import { identifier } from '../../sql.js';
import { changed } from '../change.js';
import { defineRule, type Statement, type Write } from '../rule.js';
import { outsideWords, tableWords } from '../words.js';

export const bulkDml = defineRule({
  id: 'bulk-dml',
  on: ['update', 'delete'],
  spares: 'small',
  find(action, { catalog, statement, step }) {
    const relation = catalog.relation(action.table);
    if (!isOfAllRows(action, relation)) return undefined;
    return {
      table: relation,
      message: `${action.kind} changes every row of ${tableWords(relation)} in one transaction: whoever wants to write to one of them waits until it ends, and the table is bloated by as much as it holds`,
      remedy: (write) => `Do it in batches by the key, and ${outsideWords(step)}: \`${batchOf(statement, relation, write)}\`, and so on.`,
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
  const whereClause: Node = {
    A_Expr: {
      kind: 'AEXPR_BETWEEN',
      name: [{ String: { sval: 'BETWEEN' } }],
      lexpr: { ColumnRef: { fields: [{ String: { sval: key } }] } },
      rexpr: { List: { items: [1, 10_000].map((ival) => ({ A_Const: { ival: { ival } } })) } },
    },
  };
  const updated = changed({ ...statement, write }, 'UpdateStmt', (body) => ({ ...body, whereClause }));
  return updated === statement.sql ? changed({ ...statement, write }, 'DeleteStmt', (body) => ({ ...body, whereClause })) : updated;
}
