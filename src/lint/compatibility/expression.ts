import type { Node } from 'libpg-query';
import { columnOf } from '../effects/index.js';

/** The columns that an expression looks at. */
export function columnsIn(expression: unknown): string[] {
  if (typeof expression !== 'object' || expression === null) return [];
  if (Array.isArray(expression)) return expression.flatMap(columnsIn);
  const own = columnOf(expression as Node);
  const below = Object.values(expression).flatMap(columnsIn);
  return [...new Set(own === undefined ? below : [own, ...below])];
}

/** Whether two expressions are written alike; where they stand does not count. */
export function isSameExpression(a: Node | undefined, b: Node | undefined): boolean {
  return a !== undefined && b !== undefined && textOf(a) === textOf(b);
}

function textOf(node: Node): string {
  return JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value));
}
