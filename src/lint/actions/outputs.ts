import type { Node } from 'libpg-query';
import { stringsOf } from './names.js';

/** The names of a query's columns; undefined where its text alone does not tell all of them. `aliases` stand for the first ones. */
export function outputsOf(query: Node | undefined, aliases: readonly string[]): string[] | undefined {
  const targets = query && 'SelectStmt' in query ? targetsOf(query.SelectStmt) : [];
  const names = targets.map((each, index) => aliases[index] ?? outputOf(each));
  return targets.length > 0 && names.every((each) => each !== undefined) ? names : undefined;
}

// Of a UNION the first SELECT names them.
function targetsOf({ larg, targetList = [] }: { larg?: unknown; targetList?: Node[] }): readonly Node[] {
  return larg === undefined ? targetList : targetsOf(larg as { targetList?: Node[] });
}

// As FigureColname does.
function outputOf(target: Node): string | undefined {
  if ('ResTarget' in target) return target.ResTarget.name ?? (target.ResTarget.val && outputOf(target.ResTarget.val));
  if ('ColumnRef' in target) {
    const last = target.ColumnRef.fields?.at(-1);
    return last && 'String' in last ? last.String.sval : undefined;
  }
  if ('FuncCall' in target) return stringsOf(target.FuncCall.funcname).at(-1);
  if ('CoalesceExpr' in target) return 'coalesce';
  return 'TypeCast' in target && target.TypeCast.arg ? outputOf(target.TypeCast.arg) : undefined;
}
