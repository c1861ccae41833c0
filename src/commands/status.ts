import { breakingOf, isExcepted, type Compared } from '../answers.js';
import { readResumable } from '../apply/index.js';
import { readShort } from '../boot-backfills.js';
import type { Options, Rule } from '../config/index.js';
import { describeDrift } from '../drift.js';
import { sqlStateOf } from '../errors.js';
import { shellWord, type Finding } from '../finding.js';
import { readHistory, type History, type JournalEntry } from '../history/index.js';
import { lockKey, readHolder, type Holder } from '../lock.js';
import type { UnfinishedBackfill } from '../outcome.js';
import { readState } from '../read-state.js';
import { isSetByKnex } from '../repair/index.js';
import { openDatabase, runOnHistory, type Opened } from '../run-call.js';
import { migrationId } from '../source/index.js';
import type { State } from '../state.js';
import { knexLocked } from './knex-locked.js';

/** A finding, and the one command that mends it where there is one. */
export interface MendableFinding extends Finding {
  /** The command line that mends it. */
  readonly command: string | undefined;
}

/** How code and database compare. The names and meanings of these fields are kept. */
export interface Status {
  readonly database: string;
  /** Whether code and database match as far as the rules ask. */
  readonly inSync: boolean;
  /** The newest applied migration; undefined at base. */
  readonly revision: string | undefined;
  /** The newest migration of the code. */
  readonly head: string | undefined;
  /** Names of migrations, for each answer. */
  readonly pending: readonly string[];
  readonly ahead: readonly string[];
  /** Of `ahead`, those that this code cannot run beside, as far as the journal says. Whether a boot refuses them is for the rule: see `inSync`. */
  readonly breaking: readonly string[];
  readonly missing: readonly string[];
  readonly halfSquashed: readonly string[];
  readonly edited: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly unfinished: readonly string[];
  readonly duplicates: readonly string[];
  /** Tables that no history accounts for. */
  readonly unmanaged: readonly string[];
  /** Whether the schema is not as the last run left it. */
  readonly drifted: boolean;
  /** What is not done. */
  readonly backfills: readonly UnfinishedBackfill[];
  readonly findings: readonly MendableFinding[];
  /** The session that holds the migration lock, as far as this role may see. */
  readonly lock: Holder | undefined;
}

/**
 * Compares code and database with the rules of mode `verify`, and the schema with how the last run left it. Takes no lock, writes nothing;
 * about five round trips, and one that reads the catalogs. A run that says that it is at work, and holds no lock, has died.
 */
export async function status(options: Options): Promise<Status> {
  return await runOnHistory({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const { session, tables, migrations } = opened;
    const { history, lock } = await readRun(opened);
    const state = await readState({ ...opened, history, resumable: () => Promise.resolve(new Set()) });
    const drift = history.applied === undefined ? [] : await describeDrift({ call, session, tables, applied: state.applied, history });
    const resumable = new Set((await readResumable(opened, 'up', state.journal)).keys());
    const findings = [...state.findings, ...drift, ...(await findKnexLock(opened))].map((finding) => ({
      ...finding,
      command: commandFor(finding, { ...state, resumable, rules: call.config.rules }),
    }));
    return Object.freeze({
      database: history.facts.database,
      inSync: state.inSync && !findings.some(({ level }) => level === 'error'),
      revision: state.revision,
      head: migrations.at(-1)?.name,
      ...namesOf(state),
      breaking: breakingOf(state.ahead, state.journal),
      drifted: drift.length > 0,
      backfills: Object.freeze(await readShort({ ...opened, history })),
      findings: Object.freeze(findings),
      lock,
    });
  });
}

// A run frees the lock with the message that says how it ended: one that is still `active` after nobody held the lock has died. A session
// that ends is all that a run leaves then, so what it left unfinished is to be told.
async function readRun({ session, tables, history }: Opened): Promise<{ history: History; lock: Holder | undefined }> {
  const lock = await readHolder(session, lockKey(history.facts, tables));
  if (lock || history.owner?.state !== 'active') return { history, lock };
  const again = await readHistory(session, tables);
  const { owner } = again;
  if (owner?.state !== 'active' || owner.run !== history.owner.run) return { history: again, lock };
  return { history: { ...again, owner: { ...owner, state: 'failed', errorCode: 'EM_LOST_SESSION' } }, lock };
}

// To look at the history is no right to look at knex's lock table.
async function findKnexLock({ session, tables }: Opened): Promise<Finding[]> {
  try {
    return (await isSetByKnex(session, tables)) ? [knexLocked()] : [];
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    return [];
  }
}

function namesOf({ pending, ahead, missing, halfSquashed, edited, outOfOrder, unfinished, duplicates, unmanaged }: State) {
  return {
    pending: pending.map(({ name }) => name),
    ahead,
    missing,
    halfSquashed,
    edited,
    outOfOrder,
    unfinished: unfinished.map(({ migration }) => migration),
    duplicates,
    unmanaged,
  };
}

type Mendable = State & {
  readonly journal: readonly JournalEntry[];
  /** Unfinished migrations that an upgrade simply runs again. */
  readonly resumable: ReadonlySet<string>;
  readonly rules: Compared['rules'];
};

// What each repair is about: all names of the finding in one command.
const repairs: Readonly<Record<string, (state: Mendable) => { readonly action: string; readonly names: readonly string[] }>> = {
  'history-edited': ({ edited }) => ({ action: 'accept', names: edited }),
  'history-missing': ({ missing }) => ({ action: 'forget', names: missing }),
  'history-ahead': ({ ahead, journal }) => ({ action: 'compatible', names: breakingOf(ahead, journal) }),
  'history-duplicate': ({ duplicates }) => ({ action: 'deduplicate', names: duplicates }),
  // Whether all of it is there, or nothing, is for a person to say, of one at a time: the repair shows what it had sent, and asks.
  'history-unfinished': (state) => ({ action: 'undone', names: undecidedOf(state).slice(0, 1) }),
};

const others: Readonly<Record<string, string>> = {
  'history-pending': 'upgrade',
  'history-unsettled': 'upgrade',
  'history-out-of-order': 'upgrade',
  'history-unfinished': 'upgrade',
  'knex-locked': 'repair lock',
};

function commandFor({ code }: Finding, state: Mendable): string | undefined {
  if (code === 'history-unmanaged') return adoptionOf(state);
  const { action, names } = repairs[code]?.(state) ?? { action: undefined, names: [] };
  const told = names.filter((name) => !isExcepted(state.rules[code as Rule], name));
  const command = action !== undefined && told.length > 0 ? `repair ${[action, ...told.map(shellWord)].join(' ')}` : others[code];
  return command && `ensure-migrated ${command}`;
}

// At which migration it stands is for a person to say; baseline proves it, and refuses with the difference where it is another one.
function adoptionOf({ pending }: State): string | undefined {
  const newest = pending.at(-1);
  return newest && `ensure-migrated baseline --at ${shellWord(newest.name)}`;
}

function undecidedOf({ unfinished, resumable }: Mendable): string[] {
  return unfinished.map(({ migration }) => migration).filter((name) => !resumable.has(migrationId(name)));
}
