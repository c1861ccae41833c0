import type { Relation } from './catalog/index.js';
import type { Judging } from './rule.js';

/** What keeps a statement inside a transaction: its migration's, one that was begun by hand, its message, a block of code. */
export type Surrounding = 'migration' | 'begin' | 'message' | 'block';

/** Undefined where a statement is a transaction of its own. */
export function surroundingOf({ step, statement, before }: Pick<Judging, 'step' | 'statement' | 'before'>): Surrounding | undefined {
  if (statement.node && 'DoStmt' in statement.node) return 'block';
  if (step.transaction) return 'migration';
  if (before.of('transaction').some(({ how }) => how === 'begin')) return 'begin';
  return statement.alone ? undefined : 'message';
}

/** Whether a table is there and has more rows than a small one, as far as it is known. */
export function isLarge({ state, rows }: Relation, { smallTableRows }: Pick<Judging, 'smallTableRows'>): boolean {
  return state === 'unknown' || (state === 'old' && rows >= smallTableRows);
}
