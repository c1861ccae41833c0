import type { StatementEntry } from '../history/index.js';

/** Statements that may be seen again without harm: a concurrent index is looked up in the catalog first. */
const repeatable = new Set(['create-index-concurrently', 'drop-index-concurrently', 'setting', 'read', 'begin']);
const harmless = new Set(['setting', 'read', 'begin']);

/** Whether an unfinished migration can be run again: every statement that it had sent was refused, or is settled against the catalog. */
export function canResume(entries: readonly StatementEntry[]): boolean {
  return latest(entries).every(({ kind, failed }) => failed === true || repeatable.has(kind));
}

/** Whether nothing of these statements is in the database. */
export function leavesNothing(entries: readonly StatementEntry[]): boolean {
  return latest(entries).every(({ kind, failed }) => failed === true || harmless.has(kind));
}

// A statement that the server refused stands twice in the journal: announced, and failed.
function latest(entries: readonly StatementEntry[]): StatementEntry[] {
  return [...new Map(entries.map((entry) => [entry.number, entry])).values()];
}
