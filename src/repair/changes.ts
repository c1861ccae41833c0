import type { Attempt, JournalEntry } from '../history/index.js';
import { migrationId, type Migration } from '../source/index.js';
import type { State } from '../state.js';
import { refused } from './refused.js';

/** A row of the history. */
export interface HistoryRow {
  readonly id: string;
  readonly name: string;
  readonly batch: number | null;
  readonly at: Date | null;
}

/** All that is known of one migration. */
export interface Known {
  /** As the history has it, else the journal, else its file. */
  readonly name: string;
  readonly file: Migration | undefined;
  /** The journal's last word on it. */
  readonly entry: JournalEntry | undefined;
  /** The oldest first. */
  readonly rows: readonly HistoryRow[];
  readonly state: State;
}

/** What a repair writes: the journal's new last word, and rows of the history. */
export interface Change {
  /** What it does, as a sentence without its end. */
  readonly says: string;
  readonly attempt: Attempt;
  readonly insert?: true;
  readonly remove?: readonly HistoryRow[];
}

/** The repairs of what is on record of a migration. Each is pure, and throws EM_REPAIR_REFUSED for what it does not fit. */
export const changes = { accept, forget, done, undone, compatible, breaking, deduplicate } as const satisfies Record<
  string,
  (known: Known) => Change
>;

function accept(known: Known): Change {
  const { name, file, state } = finished(known);
  const checksum = file?.checksum;
  const isEdited = file !== undefined && state.edited.includes(file.name);
  if (!isEdited || checksum === undefined) throw refused(`${name} is not edited: there is nothing to accept`);
  const attempt = attemptOf(known);
  const says = `records the checksum of the file as it stands (${shortOf(checksum)}) in place of that of what was applied (${shortOf(attempt.checksum)})`;
  return { says, attempt: { ...attempt, checksum } };
}

function forget(known: Known): Change {
  const { name, file, rows, state } = finished(known);
  if (rows.length === 0) throw refused(`${name} is not applied: there is nothing to forget`);
  if (file) throw refused(`${name} is among the files: it is not forgotten`, 'To take it back, use `ensure-migrated downgrade`.');
  const isAhead = state.ahead.some((each) => migrationId(each) === migrationId(name));
  const warning = isAhead ? '; it is newer than every file here, so a newer release may have it, and would run it again' : '';
  const says = `deletes ${rowsText(rows)}: what it made stays in the database${warning}`;
  return { says, attempt: { ...attemptOf(known), direction: 'up', status: 'undone' }, remove: rows };
}

function done(known: Known): Change {
  const attempt = unfinished(known);
  if (attempt.direction === 'down') {
    const says = `deletes ${rowsText(known.rows)}: all that its down does counts as done`;
    return { says, attempt: { ...attempt, status: 'done' }, remove: known.rows };
  }
  const says = 'writes its history row: all that it does, as its file stands now, counts as done, and it is not run again';
  return { says, attempt: { ...attempt, status: 'done', checksum: known.file?.checksum ?? attempt.checksum }, insert: true };
}

function undone(known: Known): Change {
  const attempt = unfinished(known);
  const says =
    attempt.direction === 'down'
      ? 'records that it has never been taken back: it stays applied, and a downgrade begins with the first statement of its down'
      : 'records that it has never been tried: the next run begins with its first statement';
  return { says, attempt: { ...attempt, status: 'undone' } };
}

function compatible(known: Known): Change {
  const attempt = marked(known, false);
  return { says: 'marks it compatible: releases that do not know it start beside it', attempt };
}

function breaking(known: Known): Change {
  const attempt = marked(known, true);
  return { says: 'marks it breaking: releases that do not know it are refused', attempt };
}

function deduplicate(known: Known): Change {
  const { name, rows } = finished(known);
  const [oldest, ...later] = rows;
  if (!oldest || later.length === 0) throw refused(`${name} does not stand twice in the history`);
  return { says: `deletes ${rowsText(later)}, and keeps ${rowsText([oldest])}`, attempt: attemptOf(known), remove: later };
}

function marked(known: Known, value: boolean): Attempt {
  const { name, rows } = finished(known);
  if (rows.length === 0) throw refused(`${name} is not applied: there is nothing to mark`);
  const attempt = attemptOf(known);
  if (known.entry && attempt.breaking === value) throw refused(`${name} is marked ${value ? 'breaking' : 'compatible'} already`);
  return { ...attempt, breaking: value };
}

function unfinished({ name, entry, state }: Known): Attempt {
  if (!entry || !isUnfinished(name, state)) throw refused(`${name} is not unfinished: there is nothing to settle`);
  return entry.detail;
}

// Any other repair would be taken for the decision that is still to come.
function finished(known: Known): Known {
  const { name, state } = known;
  if (!isUnfinished(name, state)) return known;
  throw refused(`${name} stopped half-way, which comes first`, `Record it with \`ensure-migrated repair done ${name}\`, or \`undone\`.`);
}

function isUnfinished(name: string, { unfinished: entries }: State): boolean {
  return entries.some(({ migration }) => migrationId(migration) === migrationId(name));
}

// What knex has applied is not in the journal: it is taken down as a first run would (see adopt).
function attemptOf({ entry, file }: Known): Attempt {
  return entry?.detail ?? { direction: 'up', status: 'done', checksum: file?.checksum, breaking: true, adopted: true };
}

function rowsText(rows: readonly HistoryRow[]): string {
  const each = rows.map(
    ({ id, batch, at }) => `id ${id}${batch === null ? '' : `, batch ${batch}`}${at ? `, of ${at.toISOString()}` : ''}`,
  );
  return `${rows.length === 1 ? 'the history row' : `${rows.length} history rows`} (${each.join('; ')})`;
}

function shortOf(checksum: string | undefined): string {
  return checksum === undefined ? 'unknown' : checksum.slice(0, checksum.indexOf(':') + 9);
}
