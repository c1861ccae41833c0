import type { Relation } from '../catalog/index.js';
import { impliesNotNull } from '../effects/index.js';
import { columnBefore, isNewColumn, isUnknownToOldCode, nameOf } from './known.js';

/** Why older code cannot live with a column that takes no null any more. */
export function refusesNull(column: string, relation: Relation): string | undefined {
  if (isUnknownToOldCode(relation)) return undefined;
  const name = `${nameOf(relation)}.${column}`;
  if (isNewColumn(relation, column))
    return isFilledNow(relation, column) ? undefined : `makes ${name} required, which older code does not fill`;
  const wasRequired = columnBefore(relation, column)?.notNull === true;
  return wasRequired || isRefusedAlready(relation, column) ? undefined : `makes ${name} required`;
}

// The server gives it a value where a row leaves it out.
function isFilledNow({ columns }: Relation, column: string): boolean {
  return columns.some(({ name, hasDefault, identity, generated }) => name === column && (hasDefault || identity || generated !== ''));
}

// A CHECK refuses new nulls from the moment on when it stands, validated or not.
function isRefusedAlready({ constraints }: Relation, column: string): boolean {
  return constraints.some(({ expression }) => expression !== undefined && impliesNotNull(expression, column));
}
