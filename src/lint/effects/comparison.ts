import type { A_Expr, Node } from 'libpg-query';
import { columnOf } from './implied.js';

/** What a condition says of the value of one column: `in` and `not-in` a list, or on one side of a value. */
export type Comparison =
  | { readonly says: 'in' | 'not-in'; readonly values: readonly string[] }
  | { readonly says: '<' | '<=' | '>' | '>='; readonly value: string };

const flipped = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=', '<>': '<>' } as const;
type Operator = keyof typeof flipped;

/** Reads a condition on a column, as it is written or as pg_get_constraintdef writes it; several for BETWEEN. Undefined for any other. */
export function comparisonsIn(node: Node, column: string): readonly Comparison[] | undefined {
  if (!('A_Expr' in node)) return undefined;
  const { kind, name = [], lexpr, rexpr } = node.A_Expr;
  const [symbol] = name.flatMap((each) => ('String' in each ? [each.String.sval ?? ''] : []));
  if (subjectOf(lexpr) === column) return comparedTo(kind, symbol, rexpr);
  if (kind !== 'AEXPR_OP' || subjectOf(rexpr) !== column || !isOperator(symbol)) return undefined;
  return comparedTo(kind, flipped[symbol], lexpr);
}

function comparedTo(kind: A_Expr['kind'], symbol: string | undefined, to: Node | undefined): readonly Comparison[] | undefined {
  const values = valuesIn(to);
  if (values === undefined) return undefined;
  const [value = '', last = ''] = values;
  if (kind === 'AEXPR_BETWEEN')
    return [
      { says: '>=', value },
      { says: '<=', value: last },
    ];
  if (kind === 'AEXPR_IN' || kind === 'AEXPR_OP_ANY' || kind === 'AEXPR_OP_ALL') {
    if (symbol === '=' && kind !== 'AEXPR_OP_ALL') return [{ says: 'in', values }];
    return symbol === '<>' && kind !== 'AEXPR_OP_ANY' ? [{ says: 'not-in', values }] : undefined;
  }
  if (kind !== 'AEXPR_OP' || !isOperator(symbol) || values.length !== 1) return undefined;
  if (symbol === '=' || symbol === '<>') return [{ says: symbol === '=' ? 'in' : 'not-in', values }];
  return [{ says: symbol, value }];
}

function isOperator(symbol: string | undefined): symbol is Operator {
  return symbol !== undefined && Object.hasOwn(flipped, symbol);
}

// (status)::text is how the server writes a varchar that it compares.
function subjectOf(node: Node | undefined): string | undefined {
  return node && 'TypeCast' in node ? columnOf(node.TypeCast.arg) : columnOf(node);
}

function valuesIn(node: Node | undefined): readonly string[] | undefined {
  if (node === undefined) return undefined;
  const list = 'List' in node ? node.List.items : 'A_ArrayExpr' in node ? node.A_ArrayExpr.elements : undefined;
  if (list === undefined && 'TypeCast' in node) return valuesIn(node.TypeCast.arg);
  const values = (list ?? [node]).map(constantOf);
  return values.every((each) => each !== undefined) ? values : undefined;
}

/** A constant as text, whatever it is cast to; undefined for null and for what has to be computed. */
export function constantOf(node: Node): string | undefined {
  if ('TypeCast' in node) return node.TypeCast.arg && constantOf(node.TypeCast.arg);
  if (!('A_Const' in node) || node.A_Const.isnull) return undefined;
  const { sval, ival, fval, boolval } = node.A_Const;
  return sval?.sval ?? fval?.fval ?? (boolval ? String(boolval.boolval === true) : String(ival?.ival ?? 0));
}

/** Below, at or above zero, as the server orders numbers, dates and timestamps; undefined where a type or a collation decides. */
export function order(left: string, right: string): number | undefined {
  if (left === right) return 0;
  if (isInteger(left) && isInteger(right)) return Number(BigInt(left) - BigInt(right));
  const [before, after] = [moment(left), moment(right)];
  if (before === undefined || after === undefined) return undefined;
  return before === after ? 0 : before < after ? -1 : 1;
}

function isInteger(text: string): boolean {
  return /^-?\d+$/.test(text);
}

// With a zone it is the session's that decides what a date means.
function moment(text: string): string | undefined {
  const [found, date, time = '00:00', rest = ''] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::(\d\d(?:\.\d+)?))?)?$/.exec(text) ?? [];
  return found === undefined ? undefined : `${date} ${time}:${(rest || '00').padEnd(9, '.000000').slice(0, 9)}`;
}
