import { judge, refuses, type Answers, type Compared } from './answers.js';
import type { Config } from './config/index.js';
import { MigrationError } from './errors.js';
import type { Finding } from './finding.js';
import { digestOf, type JournalEntry } from './history/index.js';
import { migrationId, type Migration } from './source/index.js';
import { recordedAmong, squashedIn, type Squashed } from './squashed.js';

/** The comparison of code and database: eight answers, each with its migrations, and the findings that the rules make of them. */
export interface State extends Answers {
  readonly applied: readonly string[];
  readonly findings: readonly Finding[];
  /** Nobody is at work, and the last run ended well. */
  readonly settled: boolean;
  /** The journal is needed to say more: a checksum differs, or an unknown migration may be compatible. */
  readonly undecided: boolean;
  /** Code and database match as far as the rules ask, and nothing is pending. */
  readonly inSync: boolean;
  /** The newest applied revision, or undefined at base. */
  readonly revision: string | undefined;
}

/** Compares code and database. Pure. */
export function compare(compared: Compared): State {
  const names = namesOf(compared);
  const journal = compared.journal;
  const edited = journal ? editedOf(compared, names, journal) : [];
  const unfinished = (journal ?? []).filter((entry) => !isAtWork(entry, compared)).filter((entry) => isUnfinished(entry, names));
  const digestDiffers = !journal && compared.owner?.digest !== undefined && compared.owner.digest !== localDigest(compared, names);
  const answers = { ...names, edited, unfinished, unmanaged: compared.unmanaged ?? [] };
  const findings = judge(answers, compared);
  const undecided = !journal && compared.owner !== undefined && (digestDiffers || names.ahead.length > 0);
  const acceptable = !findings.some(({ level }) => level === 'error');
  return {
    ...answers,
    findings,
    settled: isSettled(compared),
    undecided,
    inSync: isAtHead(compared, names) && isSettled(compared) && !undecided && acceptable,
    revision: names.applied.at(-1),
  };
}

type Names = Pick<State, 'applied' | 'pending' | 'ahead' | 'missing' | 'outOfOrder' | 'duplicates' | 'halfSquashed'> & {
  readonly squashed: Squashed;
  readonly appliedIds: ReadonlySet<string>;
  readonly byId: ReadonlyMap<string, Migration>;
};

function namesOf({ migrations, applied = [] }: Compared): Names {
  const byId = new Map(migrations.map((migration) => [migration.id, migration]));
  const order = new Map(migrations.map(({ id }, index) => [id, index]));
  const ids = applied.map(migrationId);
  const appliedIds = new Set(ids);
  const newest = migrations.at(-1)?.id ?? '';
  const squashed = squashedIn(migrations, applied);
  const unknown = applied.filter((name) => !byId.has(migrationId(name)) && !squashed.accounted.has(migrationId(name)));
  const pending = migrations.filter(({ id }) => !appliedIds.has(id) && !squashed.skipped.has(id));
  const lastApplied = Math.max(-1, ...[...ids, ...squashed.standing].map((id) => order.get(id) ?? -1));
  const newestUnknown = unknown.map(migrationId).filter((id) => id > newest).length > 0;
  return {
    applied,
    byId,
    squashed,
    halfSquashed: squashed.lacking,
    appliedIds,
    pending,
    ahead: unknown.filter((name) => migrationId(name) > newest),
    missing: unknown.filter((name) => migrationId(name) <= newest),
    outOfOrder: pending.filter(({ id }) => newestUnknown || (order.get(id) ?? 0) < lastApplied).map(({ name }) => name),
    duplicates:
      ids.length === appliedIds.size ? [] : [...new Set(applied.filter((name, index) => ids.indexOf(migrationId(name)) !== index))],
  };
}

// The modes apply and wait end at head, whatever the rule says; verify passes over what its rule lets pass.
function isAtHead({ mode, rules }: Compared, { pending }: Names): boolean {
  return !pending.some(({ name }) => mode !== 'verify' || refuses(rules['history-pending'], name));
}

// The modes that never write cannot settle anything: there the rule decides whether it matters.
function isSettled({ owner, mode, rules }: Compared): boolean {
  if (owner === undefined || owner.state === 'clear') return true;
  return mode !== 'apply' && !refuses(rules['history-unsettled'], owner.migration ?? owner.run);
}

// What a run outside a transaction has begun it may still end. Under the lock (mode apply) that run is dead.
function isAtWork({ run }: JournalEntry, { owner, mode }: Compared): boolean {
  return mode !== 'apply' && owner?.state === 'active' && owner.run === run;
}

// One that was being taken back still stands in the history.
function isUnfinished({ migration, detail: { status, direction } }: JournalEntry, { appliedIds }: Names): boolean {
  return (status === 'started' || status === 'unfinished') && appliedIds.has(migrationId(migration)) === (direction === 'down');
}

// Only checksums taken from the same extension are compared: .ts recorded and .js shipped is not an edit.
function editedOf({ migrations }: Compared, { appliedIds, byId, squashed }: Names, journal: readonly JournalEntry[]): string[] {
  const recorded = new Map(journal.map((entry) => [migrationId(entry.migration), entry.detail.checksum]));
  const withoutFiles = [...squashed.accounted.values()].filter(({ id }) => !byId.has(id)); // a squash is of the text that it has squashed
  return [...migrations, ...withoutFiles]
    .filter(({ id, checksum }) => {
      const before = recorded.get(id);
      return (
        appliedIds.has(id) &&
        checksum !== undefined &&
        before !== undefined &&
        extension(before) === extension(checksum) &&
        before !== checksum
      );
    })
    .map(({ name }) => name);
}

function extension(checksum: string): string {
  return checksum.slice(0, checksum.indexOf(':'));
}

function localDigest({ owner }: Compared, { applied, byId, squashed }: Names): string {
  const unknown = new Set(owner?.unknown);
  const checksumOf = (id: string) => (byId.get(id) ?? squashed.accounted.get(id))?.checksum;
  return digestOf(applied, (name) => (unknown.has(name) ? undefined : checksumOf(migrationId(name))));
}

/**
 * The migrations that `baseline` takes as applied: those up to it, on a database that has tables and no history. An empty database runs
 * them all, and one with a history has no need of it. Pure; throws EM_PLAN_REFUSED when no or more than one migration is meant.
 */
export function baselineOf({ baseline }: Pick<Config, 'baseline'>, state: State, migrations: readonly Migration[]): readonly Migration[] {
  if (baseline === undefined || state.applied.length > 0 || state.unmanaged.length === 0) return [];
  return recordedAmong(migrations, migrations.indexOf(findRevision(baseline, migrations, 'baseline')) + 1);
}

/** What is left to run beside those that are stamped. */
export function withoutStamped(pending: readonly Migration[], stamped: readonly Migration[]): readonly Migration[] {
  return pending.filter((migration) => !stamped.includes(migration));
}

/** What is left to tell: once migrations are stamped, the schema is unmanaged no more. */
export function withoutUnmanaged(findings: readonly Finding[], stamped: readonly Migration[]): readonly Finding[] {
  return findings.filter(({ code }) => stamped.length === 0 || code !== 'history-unmanaged');
}

/**
 * The one migration that a name, with or without its extension, or a unique part of a name means. Pure; throws EM_PLAN_REFUSED when no or
 * more than one is meant; `asked` says what for.
 */
export function findRevision<Named extends Pick<Migration, 'id' | 'name'>>(
  wanted: string,
  migrations: readonly Named[],
  asked: string,
): Named {
  const exact = migrations.filter(({ id }) => id === migrationId(wanted));
  const matches = exact.length > 0 || wanted === '' ? exact : migrations.filter(({ name }) => name.includes(wanted)); // '' is a part of all
  const [match] = matches;
  if (match !== undefined && matches.length === 1) return match;
  const shown = matches.slice(0, 5).map(({ name }) => name);
  const what = match === undefined ? 'no migration' : `several migrations (${shown.join(', ')}${matches.length > 5 ? ', ...' : ''})`;
  throw new MigrationError('EM_PLAN_REFUSED', `${asked} '${wanted}' names ${what}`, {
    remedy: 'Give the name of one migration, or a part that only its name has. Nothing was changed.',
  });
}
