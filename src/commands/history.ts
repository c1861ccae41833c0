import type { Options } from '../config/index.js';
import { readApplied, type AppliedRow } from '../history/index.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { migrationId, type Migration } from '../source/index.js';
import { findRevision, type State } from '../state.js';

/** Which part of the history. */
export interface HistoryOptions {
  /** From this revision on; a name or a unique part of one. */
  readonly from?: string | undefined;
  /** Up to this revision. */
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
  readonly durationMs: number | undefined;
  readonly application: string | undefined;
  readonly version: string | undefined;
  readonly environment: string | undefined;
  readonly host: string | undefined;
  /** Whether the file is still what was applied; `unknown` where there is nothing to compare. */
  readonly checksum: 'same' | 'edited' | 'unknown';
  /** Whether code older than it can still run; undefined where nothing was recorded. */
  readonly compatible: boolean | undefined;
}

/** Lists every migration of the code and the database: what was applied in the order in which it ran, then what is pending. Three round trips; writes nothing. */
export async function history(options: Options, { from, to }: HistoryOptions = {}): Promise<readonly HistoryEntry[]> {
  return await runOnHistory({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const { session, tables, history: seen } = opened;
    const state = await readState({ ...opened, resumable: () => Promise.resolve(new Set()) });
    const rows = seen.applied === undefined ? [] : await readApplied(session, tables, seen.journal);
    const byId = new Map(opened.migrations.map((migration) => [migration.id, migration]));
    const squashes = new Map(opened.migrations.flatMap(({ name, replaces = [] }) => replaces.map(({ id }) => [id, name] as const)));
    const entries = [
      ...rows.map((row) =>
        appliedEntry(row, state, { own: byId.get(migrationId(row.name)), replacedBy: squashes.get(migrationId(row.name)) }),
      ),
      ...state.pending.map(({ name }) => pendingEntry(name, state)),
    ];
    return Object.freeze(between(entries, from, to));
  });
}

interface InCode {
  readonly own: Migration | undefined;
  readonly replacedBy: string | undefined;
}

function appliedEntry({ name, batch, at, entry }: AppliedRow, state: State, { own, replacedBy }: InCode): HistoryEntry {
  const { application, version, environment, host, durationMs, checksum, breaking } = entry?.detail ?? {};
  const compared = checksum !== undefined && own?.checksum !== undefined;
  const wasRun = durationMs !== undefined; // a repair keeps what the journal says of the run
  return Object.freeze({
    name,
    status: state.missing.includes(name)
      ? 'missing'
      : state.ahead.includes(name)
        ? 'ahead'
        : isUnfinished(name, state)
          ? 'unfinished'
          : 'applied',
    inCode: own !== undefined,
    replacedBy,
    at: at ?? undefined,
    batch: batch ?? undefined,
    how: wasRun ? 'run' : batch === null ? 'stamped' : 'knex',
    durationMs,
    application,
    version,
    environment,
    host,
    checksum: own && state.edited.includes(own.name) ? 'edited' : compared ? 'same' : 'unknown',
    compatible: breaking === undefined ? undefined : !breaking,
  } satisfies HistoryEntry);
}

function pendingEntry(name: string, state: State): HistoryEntry {
  const nothing = { at: undefined, batch: undefined, how: undefined, durationMs: undefined, application: undefined, version: undefined };
  const status = isUnfinished(name, state) ? 'unfinished' : 'pending';
  return Object.freeze({
    name,
    status,
    inCode: true,
    replacedBy: undefined,
    ...nothing,
    environment: undefined,
    host: undefined,
    checksum: 'unknown',
    compatible: undefined,
  });
}

function isUnfinished(name: string, { unfinished }: State): boolean {
  return unfinished.some(({ migration }) => migrationId(migration) === migrationId(name));
}

function between(entries: readonly HistoryEntry[], from: string | undefined, to: string | undefined): readonly HistoryEntry[] {
  const named = entries.map((entry) => ({ name: entry.name, id: migrationId(entry.name) }));
  const at = (wanted: string) => named.indexOf(findRevision(wanted, named, 'the range'));
  return entries.slice(from === undefined ? 0 : at(from), to === undefined ? entries.length : at(to) + 1);
}
