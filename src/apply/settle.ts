import { MigrationError, withoutRemedy } from '../errors.js';
import { readStatements, type JournalEntry, type SentStatement, type StatementEntry, type Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import type { Step } from '../plan.js';
import { migrationId } from '../source/index.js';

/** Statements that may be seen again without harm: a concurrent index is looked up in the catalog first, by us; what is `resumable` by its sender. */
const repeatable = new Set(['create-index-concurrently', 'drop-index-concurrently', 'resumable', 'setting', 'read', 'begin']);
const harmless = new Set(['setting', 'read', 'begin']);

/** What comes before any other remedy: until then every boot is refused. */
export const decisionRemedy =
  'Look at what it has left behind and record it as done or undone (docs/operations.md, "An unfinished migration").';

/** By the ids of the unfinished migrations that can be run again: what they have sent. */
export type Resumable = ReadonlyMap<string, readonly SentStatement[]>;

/** Whether an unfinished migration can be run again: every statement that it had sent was refused, or is settled against the catalog. */
export function canResume(entries: readonly SentStatement[]): boolean {
  return latest(entries).every(({ kind, failed }) => failed === true || repeatable.has(kind));
}

/** The migrations that stopped half-way in this direction and can be run again. Asked under the lock: what stopped stays so. */
export async function readResumable(
  { session, tables }: { readonly session: Session; readonly tables: Tables },
  direction: Step['direction'],
  journal: readonly JournalEntry[],
): Promise<Resumable> {
  const resumable = new Map<string, readonly SentStatement[]>();
  const stopped = journal.filter(({ detail: { status } }) => status === 'started' || status === 'unfinished');
  for (const entry of stopped.filter(({ detail }) => detail.direction === direction)) {
    const statements = await readStatements(session, tables, entry.migration);
    // A transaction that its migration has committed by hand left something behind, and no statement in the journal.
    const unknown = entry.detail.status === 'unfinished' && statements.length === 0;
    if (!unknown && canResume(statements)) resumable.set(migrationId(entry.migration), statements);
  }
  return resumable;
}

/** Whether nothing of these statements is in the database. */
export function leavesNothing(entries: readonly SentStatement[]): boolean {
  return latest(entries).every(({ kind, failed }) => failed === true || harmless.has(kind));
}

/** What is missing is the record: nothing has to be looked up. */
const recordRemedy = 'Record it as done (docs/operations.md, "An unfinished migration"): nothing of it is missing.';

/** The same error, of a migration that left something behind: what that is, and what has to be decided about it. */
export function withWhatIsDone(error: MigrationError, ran: 'all' | 'part', entries: readonly SentStatement[]): MigrationError {
  const { code, remedy, exitCode, cause } = error;
  const toItsEnd = ran === 'all' ? '\n  it ran to its end: only its rows in the history and in the journal are missing' : '';
  const text = `${withoutRemedy(error)}${toItsEnd}\n  already done outside a transaction: ${whatIsDone(entries)}`;
  if (canResume(entries)) return new MigrationError(code, text, { cause: cause ?? error, remedy, exit: exitCode });
  const exit = exitCode === 75 ? 78 : exitCode; // the next boot is refused until a person has decided
  return new MigrationError(code, text, {
    cause: cause ?? error,
    remedy: `${ran === 'all' ? recordRemedy : decisionRemedy} ${remedy}`,
    exit,
  });
}

/** A statement that a migration has sent, in words without values. */
export interface ToldStatement {
  readonly statement: string;
  /** The server refused it: it left nothing behind but, maybe, an invalid index. */
  readonly refused: boolean;
}

/** For a person who has to decide: what was sent and may have changed something, in order. */
export function tellSent(entries: readonly SentStatement[]): ToldStatement[] {
  const changing = latest(entries).filter(({ kind }) => !harmless.has(kind));
  return changing.map(({ summary, failed }) => ({ statement: summary, refused: failed === true }));
}

// What the statements that were not refused may have done, in words without values.
function whatIsDone(entries: readonly SentStatement[]): string {
  const done = latest(entries).filter(({ kind, failed }) => failed !== true && !harmless.has(kind));
  return done.map(({ summary }) => summary).join('; ');
}

/** Whether these statements hold this very one, not refused: what it builds or drops is then the migration's own. */
export function isAnnounced(entries: readonly SentStatement[], { hash }: StatementEntry): boolean {
  return hash !== undefined && latest(entries).some((entry) => entry.failed !== true && entry.hash === hash);
}

// A statement that the server refused stands twice in the journal: announced, and failed. A run that resumed the migration says anew
// what became of it.
function latest(entries: readonly SentStatement[]): SentStatement[] {
  return [...new Map(entries.map((entry) => [entry.hash ?? `${entry.run} ${entry.number}`, entry])).values()];
}
