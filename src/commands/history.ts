import type { Options } from '../config/index.js';
import { readApplied, readFailedAttempts, type AppliedRow, type FailedAttempts } from '../history/index.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { migrationId, type Migration } from '../source/index.js';
import { findRevision, type State } from '../state.js';

/** Which part of the history. */
export interface HistoryOptions {
  /** From this revision on; a name or a unique part of one, or `base`: from the first. */
  readonly from?: string | undefined;
  /** Up to this revision, or to `head`: all that are left. */
  readonly to?: string | undefined;
}

/** What is known of one migration, in the code or in the database. */
export interface HistoryEntry {
  readonly name: string;
  /** `missing`: applied, but not among the files and older than the newest of them; `ahead`: newer than those. */
  readonly status: 'applied' | 'pending' | 'missing' | 'ahead' | 'unfinished';
  readonly inCode: boolean;
  /** The squash that stands for it in the code. */
  readonly replacedBy: string | undefined;
  /** When it was applied. */
  readonly at: Date | undefined;
  /** Undefined also for what was recorded without being run (`how` is `stamped` then). */
  readonly batch: number | undefined;
  /** `run` by ensure-migrated; `stamped`: recorded without running; `knex`: by knex's own migrator. */
  readonly how: 'run' | 'stamped' | 'knex' | undefined;
  /** Of the attempt that succeeded. */
  readonly durationMs: number | undefined;
  /** How much of it was spent waiting for locks; undefined for a `.sql` in a transaction, which travels with its record. */
  readonly lockWaitMs: number | undefined;
  /** How often it was tried in the run that applied it: more than once when it had to wait for table locks. */
  readonly tries: number | undefined;
  readonly application: string | undefined;
  readonly version: string | undefined;
  readonly environment: string | undefined;
  readonly host: string | undefined;
  /** Whether the file is still what was applied; `unknown` where there is nothing to compare. */
  readonly checksum: 'same' | 'edited' | 'unknown';
  /** Whether code older than it can still run; undefined where nothing was recorded. */
  readonly compatible: boolean | undefined;
  /** What the person who stamped or repaired it gave as the reason, and who that was by the account of the operating system. */
  readonly reason: string | undefined;
  readonly by: string | undefined;
  /** Attempts that have failed, in all runs. */
  readonly failed: FailedAttempts | undefined;
}

/** Lists every migration of the code and the database: what was applied in the order in which it ran, then what is pending. Four round trips; writes nothing. */
export async function history(options: Options, { from, to }: HistoryOptions = {}): Promise<readonly HistoryEntry[]> {
  return await runOnHistory({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const { session, tables, history: seen } = opened;
    const state = await readState({ ...opened, resumable: () => Promise.resolve(new Set()) });
    const rows = seen.applied === undefined ? [] : await readApplied(session, tables, seen.journal);
    const failed = seen.journal === 'known' ? await readFailedAttempts(session, tables) : new Map<string, FailedAttempts>();
    const byId = new Map(opened.migrations.map((migration) => [migration.id, migration]));
    const squashes = new Map(opened.migrations.flatMap(({ name, replaces = [] }) => replaces.map(({ id }) => [id, name] as const)));
    const known = (name: string): Known => {
      const id = migrationId(name);
      return { own: byId.get(id), replacedBy: squashes.get(id), failed: failed.get(id) };
    };
    const entries = [
      ...rows.map((row) => appliedEntry(row, state, known(row.name))),
      ...state.pending.map(({ name }) => pendingEntry(name, state, known(name))),
    ];
    return Object.freeze(between(entries, from, to));
  });
}

/** What is known of a migration beside its row. */
interface Known extends Pick<HistoryEntry, 'replacedBy' | 'failed'> {
  readonly own: Migration | undefined;
}

function appliedEntry({ name, batch, at, entry }: AppliedRow, state: State, { own, replacedBy, failed }: Known): HistoryEntry {
  const { durationMs, lockWaitMs, tries, checksum, breaking } = entry?.detail ?? {};
  const { application, version, environment, host, repair, reason, by } = entry?.detail ?? {};
  const compared = checksum !== undefined && own?.checksum !== undefined;
  const wasRun = durationMs !== undefined; // a repair keeps what the journal says of the run
  return Object.freeze({
    name,
    status: statusOf(name, state),
    inCode: own !== undefined,
    replacedBy,
    at: at ?? undefined,
    batch: batch ?? undefined,
    how: wasRun ? 'run' : batch === null ? 'stamped' : 'knex',
    durationMs,
    lockWaitMs,
    tries,
    application,
    version,
    environment,
    host,
    checksum: own && state.edited.includes(own.name) ? 'edited' : compared ? 'same' : 'unknown',
    compatible: breaking === undefined ? undefined : !breaking,
    reason: repair?.reason ?? reason,
    by: repair?.user ?? by,
    failed,
  } satisfies HistoryEntry);
}

function statusOf(name: string, state: State): HistoryEntry['status'] {
  if (state.missing.includes(name)) return 'missing';
  if (state.ahead.includes(name)) return 'ahead';
  return isUnfinished(name, state) ? 'unfinished' : 'applied';
}

const notRun = {
  ...{ at: undefined, batch: undefined, how: undefined, durationMs: undefined, lockWaitMs: undefined, tries: undefined },
  ...{ application: undefined, version: undefined, environment: undefined, host: undefined },
  ...{ compatible: undefined, reason: undefined, by: undefined },
} as const;

function pendingEntry(name: string, state: State, { failed }: Known): HistoryEntry {
  const status = isUnfinished(name, state) ? 'unfinished' : 'pending';
  return Object.freeze({ ...notRun, name, status, inCode: true, replacedBy: undefined, checksum: 'unknown', failed });
}

function isUnfinished(name: string, { unfinished }: State): boolean {
  return unfinished.some(({ migration }) => migrationId(migration) === migrationId(name));
}

function between(entries: readonly HistoryEntry[], from: string | undefined, to: string | undefined): readonly HistoryEntry[] {
  const named = entries.map((entry) => ({ name: entry.name, id: migrationId(entry.name) }));
  const ends = new Map([
    ['base', -1],
    ['head', named.length - 1],
  ]); // as in a range of `script`
  const at = (wanted: string) => ends.get(wanted) ?? named.indexOf(findRevision(wanted, named, 'the range'));
  return entries.slice(Math.max(at(from ?? 'base'), 0), at(to ?? 'head') + 1);
}
