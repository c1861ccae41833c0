import type { Node } from 'libpg-query';
import type { Relation } from '../catalog/index.js';

/** Whether PostgreSQL knows without a look at the rows that a column has no null: it is NOT NULL, or a validated constraint says so. */
export function isKnownNotNull({ columns, constraints }: Relation, column: string): boolean {
  if (columns.some(({ name, notNull }) => name === column && notNull)) return true;
  return constraints.some(({ kind, validated, columns: [only], expression }) => {
    if (!validated) return false;
    return kind === 'n' ? only === column : expression !== undefined && impliesNotNull(expression, column);
  });
}

/** Whether an expression is false where a column is null, as the server proves it: the test itself, or one of several joined by AND. */
export function impliesNotNull(node: Node, column: string): boolean {
  if ('NullTest' in node) return node.NullTest.nulltesttype === 'IS_NOT_NULL' && columnOf(node.NullTest.arg) === column;
  if (!('BoolExpr' in node) || node.BoolExpr.boolop !== 'AND_EXPR') return false;
  return (node.BoolExpr.args ?? []).some((each) => impliesNotNull(each, column));
}

/** The name of a plain reference to a column. */
export function columnOf(node: Node | undefined): string | undefined {
  const last = node && 'ColumnRef' in node ? node.ColumnRef.fields?.at(-1) : undefined;
  return last && 'String' in last ? last.String.sval : undefined;
}
