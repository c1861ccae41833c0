import type { PlannedTrace, TracedLock, TracedStatement } from '../commands/index.js';
import { blocksReads, blocksWrites } from '../lock-mode.js';
import type { Screen } from './screen.js';

/** How the trace came about, and why it ended before its time. */
export function traceText({ madeBy, failure }: PlannedTrace, { style }: Screen): string[] {
  const how = madeBy === 'replay' ? 'made by the applied migrations' : 'made by pg_dump';
  const failed = failure ? [`${style('red', `The trace ended: ${failure.code}`)}: ${failure.message}`] : [];
  return [`Traced in a scratch copy of the schema, ${how}, without rows: the times are those of empty tables.`, ...failed];
}

/** A statement, and below it what it was seen to do: a lock a table, then the work. */
export function tracedStatementText(statement: TracedStatement, screen: Screen): string[] {
  const { sql, locks, rewritten, scanned, indexesBuilt, durationMs, locksFrom, error } = statement;
  const work = [
    ...rewritten.map((table) => screen.style('red', `rewrites ${table}`)),
    ...scanned.map((table) => screen.style('yellow', `scans ${table}`)),
    ...indexesBuilt.map((index) => screen.style('yellow', `builds ${index}`)),
  ];
  const unknown = locksFrom === 'unknown' && !error ? ['what it locks is not known'] : [];
  const failed = error ? [screen.style('red', `fails: ${error.message}${error.code === undefined ? '' : ` (${error.code})`}`)] : [];
  const done = [...locks.map((lock) => lockText(lock, screen)), ...work, ...unknown, ...failed, `${durationMs} ms`];
  return [`   ${sql.replaceAll('\n', '\n   ')};`, `     -> ${done.join(', ')}`];
}

function lockText({ table, mode, index }: TracedLock, { style }: Screen): string {
  const colour = blocksReads(mode) ? 'red' : blocksWrites(mode) ? 'yellow' : undefined;
  const what = `${mode} on ${index === undefined ? table : `${index} of ${table}`}`;
  return colour === undefined ? what : style(colour, what);
}
