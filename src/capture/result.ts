import type pg from 'pg';

/** What of a result was looked at. */
export type Used = 'rows' | 'count';

/**
 * The result of a statement that was not sent: no rows, and a count that somebody has chosen. `onUse` hears when either is looked at: most
 * migrations never do, and then it does not matter what it says.
 */
export function resultOf({ command, rowCount }: { command: string; rowCount: number }, onUse: (used: Used) => void): pg.QueryResult {
  const result = { command, oid: 0, fields: [] };
  const look = <Value>(used: Used, value: () => Value) => ({
    enumerable: true,
    get: () => {
      onUse(used);
      return value();
    },
  });
  return Object.defineProperties(result, {
    rows: look('rows', () => []),
    rowCount: look('count', () => rowCount),
  }) as unknown as pg.QueryResult;
}
