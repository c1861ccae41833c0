import type { Config, Rule, RuleSetting } from './config/index.js';
import { shellWord, type Finding } from './finding.js';
import type { JournalEntry, Owner } from './history/index.js';
import { migrationId, type Migration } from './source/index.js';

/** What is compared. All of it was read; nothing here asks anything. */
export interface Compared {
  readonly migrations: readonly Migration[];
  /** Names of the history in the order in which they ran; undefined when the database has no history. */
  readonly applied: readonly string[] | undefined;
  /** The journal's last word on each migration; undefined when it was not read (the digest is compared then) or is not there. */
  readonly journal: readonly JournalEntry[] | undefined;
  readonly owner: Owner | undefined;
  /** Ordinary tables that no history accounts for; read only when there is no history, or an empty one and a baseline. */
  readonly unmanaged?: readonly string[];
  readonly mode: Config['mode'];
  readonly rules: Config['rules'];
}

/** The answers of a comparison, before the rules have looked at them; `drifted`, which needs the catalog, is asked under the lock. */
export interface Answers {
  readonly pending: readonly Migration[];
  /** Applied, unknown to this code, newer than its newest. */
  readonly ahead: readonly string[];
  /** Applied, unknown to this code, older than its newest: a hole. */
  readonly missing: readonly string[];
  /** Replaced by a squash, not applied, and without a file, where others of the same squash are applied. */
  readonly halfSquashed: readonly string[];
  readonly edited: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly unfinished: readonly JournalEntry[];
  readonly duplicates: readonly string[];
  readonly unmanaged: readonly string[];
}

interface Answer {
  readonly rule: Rule;
  readonly names: readonly string[];
  readonly says: (names: string) => string;
  readonly remedy: string | ((names: readonly string[]) => string);
  /** How a name is shown. Default: as it is. */
  readonly shows?: (name: string) => string;
  /** The names are no migrations. */
  readonly elsewhere?: boolean;
}

/** What the rules make of the answers. Pure. */
export function judge(answers: Answers, compared: Compared): Finding[] {
  const breaking = breakingOf(answers.ahead, compared.journal);
  const table = [...unsettled(compared), ...ofTheFiles(answers, breaking, compared), ...ofTheDatabase(answers, compared)];
  return table.flatMap((answer) => findingsOf(answer, compared.rules));
}

/** Of the migrations that this code does not know, those that nobody has marked compatible: without a journal, all. Pure. */
export function breakingOf(ahead: readonly string[], journal: readonly JournalEntry[] | undefined): string[] {
  const compatible = new Set(
    (journal ?? []).filter(({ detail }) => detail.breaking === false).map(({ migration }) => migrationId(migration)),
  );
  return ahead.filter((name) => !compatible.has(migrationId(name)));
}

// While it waits a run may be at work; one that has failed stays failed until somebody acts.
function unsettled({ owner, mode }: Compared): Answer[] {
  const matters = owner && (owner.state === 'failed' ? mode !== 'apply' : owner.state === 'active' && mode === 'verify');
  if (!matters) return [];
  const { migration, run, application, host, since } = owner;
  const { end, remedy } = endOf(owner);
  return [
    {
      rule: 'history-unsettled',
      names: [migration ?? run],
      elsewhere: migration === undefined, // before the first, or after the last
      says: () => `the last run (${application} on ${host}, since ${since}) ${end}${migration === undefined ? '' : `, at ${migration}`}`,
      remedy,
    },
  ];
}

function endOf({ state, errorCode }: NonNullable<Compared['owner']>): Pick<Answer, 'remedy'> & { readonly end: string } {
  // By SIGTERM or `signal`: no error that could be mended.
  if (state === 'failed' && errorCode === 'EM_ABORTED')
    return { end: 'was told to stop (EM_ABORTED)', remedy: 'Run it again: it goes on where it was stopped.' };
  const end = state === 'failed' ? `failed with ${errorCode ?? 'an unknown error'}` : 'is at work, or died';
  return { end, remedy: 'Look at the log of the process that migrates; run it again once its error is mended.' };
}

function ofTheFiles(
  { pending, missing, halfSquashed, edited }: Answers,
  breaking: readonly string[],
  { mode, applied, journal }: Compared,
): Answer[] {
  return [
    {
      rule: 'history-pending',
      names: mode === 'verify' ? pending.map(({ name }) => name) : [],
      says: (names) => (applied ? `not applied: ${names}` : `the database has no history; not applied: ${names}`),
      remedy: 'Run a process with mode apply against this database first.',
    },
    {
      rule: 'history-ahead',
      names: breaking,
      shows: (name) => withReasons(name, journal),
      says: (names) => `the database is ahead of this code by migrations that it cannot run beside: ${names}`,
      remedy: (names) =>
        `Deploy the release that has these migrations, or, when older code can run beside them, record that: \`ensure-migrated repair compatible ${names.map(shellWord).join(' ')}\` (docs/operations.md, "An old release on a newer database").`,
    },
    {
      rule: 'history-missing',
      names: missing,
      says: (names) => `applied here, but not among the files, and older than the newest of them: ${names}`,
      remedy: 'Put the files back: they were deleted, renamed, or left out of the build.',
    },
    {
      rule: 'history-half-squashed',
      names: halfSquashed,
      says: (names) => `squashed before this database had them all: ${names}`,
      remedy: 'Bring the database up with the last release that has these files, or put them back beside the squash; then go on.',
    },
    {
      rule: 'history-edited',
      names: edited,
      says: (names) => `changed since they were applied: ${names}`,
      remedy: 'Put the applied version back and write a new migration for the change; accept it only where it does the same as before.',
    },
  ];
}

function ofTheDatabase({ outOfOrder, unfinished, duplicates, unmanaged }: Answers, { applied }: Compared): Answer[] {
  return [
    {
      rule: 'history-out-of-order',
      names: outOfOrder,
      says: (names) => `not applied, but older than what is: ${names}`,
      remedy: 'Nothing, when branches were merged; rename them to come last when they depend on what was applied.',
    },
    {
      rule: 'history-unfinished',
      names: unfinished.map(({ migration }) => migration),
      says: (names) => `stopped half-way outside a transaction: ${names}`,
      remedy:
        'Look at what the migration has done (docs/operations.md, "An unfinished migration"), and record it: `ensure-migrated repair done` when all of it is there, `repair undone` when none of it is.',
    },
    {
      rule: 'history-duplicate',
      names: duplicates,
      says: (names) => `recorded twice: ${names}; knex ran these files a second time beside another process`,
      remedy: 'Look at what the second run did; then `ensure-migrated repair deduplicate` keeps the older of the two history rows.',
    },
    {
      rule: 'history-unmanaged',
      names: applied ? [] : unmanaged,
      elsewhere: true,
      says: (names) => `the database has tables, but no history: ${names}`,
      remedy: "Point the connection at the right database, or adopt this one with `baseline: 'the revision that it stands at'`.",
    },
  ];
}

/** Whether a rule refuses a database for what it finds about this name. */
export function refuses(setting: RuleSetting, name: string): boolean {
  return setting.level === 'error' && !isExcepted(setting, name);
}

/** Whether the rule leaves this name out. */
export function isExcepted({ except }: RuleSetting, name: string): boolean {
  return except.some((each) => migrationId(each) === migrationId(name));
}

// `03_drop.js (drops column orders.note)`: what the lint saw when it was applied.
function withReasons(name: string, journal: Compared['journal']): string {
  const breaks = journal?.find(({ migration }) => migrationId(migration) === migrationId(name))?.detail.breaks ?? [];
  return breaks.length === 0 ? name : `${name} (${breaks.slice(0, shownReasons).join(', ')}${breaks.length > shownReasons ? ', ...' : ''})`;
}

const shownReasons = 3;
const shownCount = 5;

function findingsOf({ rule, names, says, remedy, shows = (name) => name, elsewhere = false }: Answer, rules: Config['rules']): Finding[] {
  const { level } = rules[rule];
  const left = names.filter((name) => !isExcepted(rules[rule], name));
  if (level === 'off' || left.length === 0) return [];
  const shown = left.slice(0, shownCount).map(shows).join(', ') + (left.length > shownCount ? ` and ${left.length - shownCount} more` : '');
  const at = left.length === 1 && !elsewhere ? { at: { migration: left[0] as string } } : {};
  return [{ code: rule, level, message: says(shown), remedy: typeof remedy === 'string' ? remedy : remedy(left), ...at }];
}
