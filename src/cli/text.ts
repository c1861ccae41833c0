import type {
  BackupResult,
  Baselined,
  Current,
  HistoryEntry,
  ImportedHistory,
  Init,
  MendableFinding,
  Preflight,
  RestoreResult,
  Revision,
  SquashResult,
  Stamped,
  Status,
} from '../commands/index.js';
import { relative } from 'node:path';
import type { Finding } from '../finding.js';
import type { AppliedMigration, Outcome, UnfinishedBackfill } from '../outcome.js';
import { migrationId } from '../source/index.js';
import { counted } from '../counted.js';
import { commandLine } from './backfill-text.js';
import { saidAgain, type Screen } from './screen.js';
import { renderTable, type Column } from './table.js';

/** What was written and what was left, and then the lines to write where the application boots. */
export function initText({ files, left, bootFile, bootLines }: Init): string {
  const told = [...files.map((file) => `Wrote ${here(file)}`), ...left.map((file) => `Left ${here(file)} as it is`)];
  const where = bootFile === undefined ? 'Where the application boots:' : `In ${here(bootFile)}, where the application boots:`;
  const next = 'Fill the migration in before anything runs it; from then on a boot, or `ensure-migrated upgrade`, applies it.';
  const wrote = files.some((file) => !file.includes('ensure-migrated.config.'));
  return [...told, ...(wrote ? [next] : []), '', where, '', ...bootLines].join('\n');
}

/** What was written, with its warnings. */
export function revisionText({ files, findings }: Revision, screen: Screen): string {
  return [...files.map((file) => `Wrote ${here(file)}`), ...findings.map((finding) => findingText(finding, screen))].join('\n');
}

/** A path as a person would type it. */
export function here(file: string): string {
  return relative('.', file) || '.';
}

/** What an upgrade or a downgrade came to. */
export function outcomeText(outcome: Outcome, screen: Screen): string {
  const { from, to, applied, reverted = [], backup, backfills = [], findings } = outcome;
  const ran = reverted.length > 0 ? reverted : applied;
  const done = reverted.length > 0 ? 'Taken back' : 'Applied';
  const what = ran.length === 0 ? `Nothing to do: the database is at ${to ?? 'base'}.` : `${done}: ${ran.length}, in ${totalMs(ran)} ms.`;
  const moved = ran.length === 0 ? [] : [`The database was at ${from ?? 'base'} and is at ${to ?? 'base'} now.`];
  const kept = backup === undefined ? [] : [`Backup of before: ${backup}`];
  return [
    what,
    ...moved,
    ...kept,
    ...backfills.map((each) => backfillLine(each, screen)),
    ...findings.map((finding) => findingText(finding, screen)),
  ].join('\n');
}

/** What a backup is of, and where it is. */
export function backupText({ database, revision, file, bytes }: BackupResult): string {
  const size = bytes === undefined ? '' : ` (${bytes} bytes)`;
  return `Backed up the database "${database}" at ${revision ?? 'base'}${size}:\n${file}`;
}

/** What was restored, and where it stands now. */
export function restoredText({ database, revision, file }: RestoreResult): string {
  return `Restored ${file}\ninto the database "${database}", which is at ${revision ?? 'base'} now.`;
}

/** What adopting a database has written and recorded. */
export function baselinedText({ file, ...stamped }: Baselined, screen: Screen): string {
  return [...(file === undefined ? [] : [`Wrote ${here(file)}`]), stampedText(stamped, screen)].join('\n');
}

/** Which of ours each of theirs is, and what was recorded. */
export function importedText({ matched, ...stamped }: ImportedHistory, screen: Screen): string {
  const renamed = matched.filter(({ theirs, ours }) => theirs !== ours);
  return [...renamed.map(({ theirs, ours }) => `${theirs} is ${ours}`), stampedText(stamped, screen)].join('\n');
}

/** The file that was written, and what it stands for. */
export function squashText({ name, files, replaced, removed, removable, comparedCount }: SquashResult): string {
  return [
    ...files.map((file) => `Wrote ${here(file)}`),
    `Proved: ${name} makes the ${comparedCount} objects that these ${replaced.length} make: ${replaced[0] ?? ''} to ${replaced.at(-1) ?? ''}.`,
    ...removed.map((file) => `Removed ${here(file)}`),
    ...(removable.length > 0
      ? ['Once every database has them all, these can be removed:', ...removable.map((file) => `  ${here(file)}`)]
      : []),
  ].join('\n');
}

/** The history before and after a stamp, and what the database said to it. */
export function stampedText({ before, after, recorded, unrecorded, proof }: Stamped, screen: Screen): string {
  const [was, is] = [before, after].map((names) => names.at(-1) ?? 'base');
  const where = `The database was at ${was} (${before.length} recorded) and is at ${is} (${after.length} recorded) now.`;
  const changes = [...unrecorded.map((name) => `  - ${name}`), ...recorded.map((name) => `  + ${name}`)];
  const proved =
    proof.status === 'forced'
      ? 'Forced.'
      : `Proved: ${counted(proof.comparedCount, 'object')} ${proof.comparedCount === 1 ? 'is' : 'are'} as the stamp says.`;
  const nothing = before.join() === after.join();
  return [
    ...(nothing ? [`Nothing to do: the database is at ${is}.`] : [where, ...changes, proved]),
    ...proof.findings.map((finding) => findingText(finding, screen)),
  ].join('\n');
}

function totalMs(applied: readonly AppliedMigration[]): number {
  return applied.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/** A finding with its remedy, and with the command that mends it where there is one. */
export function findingText(finding: Finding | MendableFinding, screen: Screen): string {
  const { code, level, message, remedy } = finding;
  const command = 'command' in finding && finding.command !== undefined ? [`    $ ${finding.command}${saidAgain(screen)}`] : [];
  const title = screen.style(level === 'error' ? 'red' : level === 'warn' ? 'yellow' : 'cyan', `${level} ${code}`);
  return [`${title}: ${message}`, `    ${remedy}`, ...command].join('\n');
}

/** Alembic's words: the revision, and `(head)` when it is. */
export function currentText({ revision, isHead, pendingCount }: Current): string {
  const where = revision ?? 'base';
  return isHead ? `${where} (head)` : pendingCount > 0 ? `${where} (${pendingCount} pending)` : where;
}

/** The history as a table; `verbose` tells who applied what, from where. */
export function historyText(entries: readonly HistoryEntry[], screen: Screen, detail: 'short' | 'verbose'): string {
  if (entries.length === 0) return 'No migrations.';
  return renderTable(
    entries,
    detail === 'short' ? shortColumns(screen) : verboseColumns(screen),
    detail === 'short' ? screen.columns : Infinity,
  );
}

function shortColumns(screen: Screen): Column<HistoryEntry>[] {
  return [
    { title: 'migration', text: ({ name }) => name },
    { title: 'status', text: (entry) => statusOf(entry, screen) },
    { title: 'applied at', text: ({ at }) => (at ? secondsOf(at) : '') },
    { title: 'ms', text: ({ durationMs }) => durationMs?.toString() ?? '', align: 'right' },
    { title: 'batch', text: ({ batch }) => batch?.toString() ?? '', align: 'right' },
  ];
}

function verboseColumns(screen: Screen): Column<HistoryEntry>[] {
  return [
    ...shortColumns(screen),
    { title: 'how', text: ({ how }) => how ?? '' },
    { title: 'file', text: ({ checksum, status }) => (status === 'pending' ? '' : checksum) },
    { title: 'older code', text: ({ compatible }) => (compatible === undefined ? '' : compatible ? 'may run' : 'breaks') },
    { title: 'application', text: ({ application, version }) => [application, version].filter(Boolean).join(' ') },
    { title: 'environment', text: ({ environment }) => environment ?? '' },
    { title: 'host', text: ({ host }) => host ?? '' },
  ];
}

function statusOf({ status, checksum }: HistoryEntry, { style }: Screen): string {
  if (checksum === 'edited') return style('red', 'edited');
  return status === 'applied' ? status : style(status === 'pending' ? 'yellow' : 'red', status);
}

/** UTC, like the names of the migrations. */
export function secondsOf(date: Date): string {
  return date.toISOString().replace('T', ' ').slice(0, 19);
}

/** Whether code and database match, what does not, and what mends it. */
export function statusText(status: Status, screen: Screen): string {
  const { database, inSync, revision, head, ahead, backfills, findings, lock } = status;
  const verdict = inSync ? screen.style('green', ahead.length > 0 ? 'ahead of this code' : 'in sync') : screen.style('red', 'not in sync');
  const isHead = revision === head || (revision !== undefined && head !== undefined && migrationId(revision) === migrationId(head));
  const where = isHead ? `at ${revision ?? 'base'} (head)` : `at ${revision ?? 'base'}, head is ${head ?? 'base'}`;
  return [
    `The database "${database}" is ${verdict}: ${where}.`,
    ...(inSync && ahead.length > 0 ? [aheadLine(status)] : []),
    ...holderLines(lock),
    ...backfills.map((each) => backfillLine(each, screen)),
    ...findings.map((finding) => findingText(finding, screen)),
  ].join('\n');
}

// What refuses is a finding; this is what a boot passes over without a word.
function aheadLine({ ahead, breaking }: Status): string {
  const newer = counted(ahead.length, 'newer migration');
  if (breaking.length === 0) return `This release may start: ${newer}, all recorded as compatible with older code.`;
  return `This release may start, since the rule history-ahead lets it: ${newer}, not all of them compatible with it (${breaking.join(', ')}).`;
}

function backfillLine({ name, status, seenCount, estimatedCount, error }: UnfinishedBackfill, screen: Screen): string {
  const of = estimatedCount === undefined ? '' : ` of about ${Math.max(estimatedCount, seenCount)}`;
  const line = `The backfill "${name}" is not done (${status}): ${seenCount}${of} rows seen${error ? `; ${error.message}` : ''}.`;
  return [line, ...commandLine(name, status, screen)].join('\n');
}

function holderLines(lock: Status['lock']): string[] {
  if (!lock) return [];
  return [`The migration lock is held by pid ${lock.pid} (${lock.application ?? 'not visible to this role'}, ${lock.host ?? 'local'}).`];
}

/** Whether a boot would begin, what it would apply, and what it would say. */
export function preflightText({ ok, database, pending, breaking, backfills, findings, lock }: Preflight, screen: Screen): string {
  const verdict = ok ? screen.style('green', 'ready') : screen.style('red', 'not ready');
  const waiting = pending.length === 0 ? 'nothing is pending' : `${pending.length} pending`;
  return [
    `The database "${database}" is ${verdict}: ${waiting}.`,
    ...pending.map((name) => `  ${name}${brokenBy(breaking.find((each) => each.name === name))}`),
    ...holderLines(lock),
    ...backfills.map((each) => backfillLine(each, screen)),
    ...findings.map((finding) => findingText(finding, screen)),
  ].join('\n');
}

function brokenBy(migration: Preflight['breaking'][number] | undefined): string {
  if (migration === undefined) return '';
  const { breaks } = migration;
  return breaks.length > 0
    ? `: older releases cannot live with it: it ${breaks.join(', ')}`
    : ': counts as one that older releases cannot live with (`ensure-migrated plan` tells why)';
}
