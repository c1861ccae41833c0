import type { Options } from '../config/index.js';
import { describeDrift } from '../drift.js';
import type { Finding } from '../finding.js';
import { lockKey, readHolder, type Holder } from '../lock.js';
import { readState } from '../read-state.js';
import { openDatabase, runCall, type Opened } from '../run-call.js';
import type { State } from '../state.js';

/** A finding, and the one command that mends it where there is one. */
export interface MendableFinding extends Finding {
  readonly command: string | undefined;
}

/** How code and database compare. The names and meanings of these fields are kept. */
export interface Status {
  readonly database: string;
  readonly inSync: boolean;
  readonly revision: string | undefined;
  readonly head: string | undefined;
  /** Names of migrations, for each answer. */
  readonly pending: readonly string[];
  readonly ahead: readonly string[];
  readonly missing: readonly string[];
  readonly edited: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly unfinished: readonly string[];
  readonly duplicates: readonly string[];
  /** Tables that no history accounts for. */
  readonly unmanaged: readonly string[];
  /** Whether the schema is not as the last run left it. */
  readonly drifted: boolean;
  readonly findings: readonly MendableFinding[];
  /** The session that holds the migration lock, as far as this role may see. */
  readonly lock: Holder | undefined;
}

/**
 * Compares code and database with the rules of mode `verify`, and the schema with how the last run left it. Takes no lock, writes nothing;
 * about four round trips, and one that reads the catalogs.
 */
export async function status(options: Options): Promise<Status> {
  return await runCall({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const { session, tables, history, migrations } = opened;
    const state = await readState({ ...opened, resumable: () => Promise.resolve(new Set()) });
    const drift =
      history.applied === undefined ? [] : await describeDrift({ call, session, tables, applied: state.applied, journal: history.journal });
    const findings = [...state.findings, ...drift].map((finding) => ({ ...finding, command: commandFor(finding, state) }));
    return Object.freeze({
      database: history.facts.database,
      inSync: state.inSync && !findings.some(({ level }) => level === 'error'),
      revision: state.revision,
      head: migrations.at(-1)?.name,
      ...namesOf(state),
      drifted: drift.length > 0,
      findings: Object.freeze(findings),
      lock: await readHolder(session, lockKeyOf(opened)),
    });
  });
}

function namesOf({ pending, ahead, missing, edited, outOfOrder, unfinished, duplicates, unmanaged }: State) {
  return {
    pending: pending.map(({ name }) => name),
    ahead,
    missing,
    edited,
    outOfOrder,
    unfinished: unfinished.map(({ migration }) => migration),
    duplicates,
    unmanaged,
  };
}

function lockKeyOf({ history: { facts }, tables }: Opened) {
  return lockKey(facts, tables, tables.schema ?? facts.schema ?? undefined);
}

// Of several names the first: its repair is one decision, and the next `status` names the next.
const commands: Readonly<Record<string, (state: State) => string>> = {
  'history-pending': () => 'upgrade',
  'history-unsettled': () => 'upgrade',
  'history-out-of-order': () => 'upgrade',
  'history-unmanaged': () => 'baseline',
  'history-edited': ({ edited }) => `repair accept ${edited[0]}`,
  'history-missing': ({ missing }) => `repair forget ${missing[0]}`,
  'history-ahead': ({ ahead }) => `repair compatible ${ahead[0]}`,
  'history-duplicate': ({ duplicates }) => `repair deduplicate ${duplicates[0]}`,
  'history-unfinished': ({ unfinished }) => `repair done|undone ${unfinished[0]?.migration}`,
};

function commandFor({ code }: Finding, state: State): string | undefined {
  const command = commands[code]?.(state);
  return command && `ensure-migrated ${command}`;
}
