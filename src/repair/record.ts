import { digestOfHistory, recordedChecksums } from '../adopt.js';
import { tellSent, type ToldStatement } from '../apply/index.js';
import { isOther } from '../claim.js';
import { aboutHistory, readStatements, renderHistoryInsert, type AttemptStatus, type History, type Tables } from '../history/index.js';
import { renderRepair } from '../journal-rows.js';
import { readState } from '../read-state.js';
import type { Opened } from '../run-call.js';
import type { Session } from '../session/index.js';
import { migrationId } from '../source/index.js';
import { literal } from '../sql.js';
import { findRevision } from '../state.js';
import { underLock, type FullState, type Locked } from '../under-lock.js';
import { changes, type Change, type HistoryRow, type Known } from './changes.js';
import { confirmed, type Asking, type RepairQuestion } from './confirm.js';
import { changedMeanwhile, refused } from './refused.js';

/** A repair of what is on record of a migration. */
export type RecordAction = keyof typeof changes;
export const recordActions = Object.keys(changes) as readonly RecordAction[];

export interface RecordRequest extends Asking {
  readonly action: RecordAction;
  /** Names, or unique parts of them; `all`: what the comparison says is to be accepted. */
  readonly migrations: readonly string[] | 'all';
  readonly reason: string;
}

/** What the history and the journal say of a migration. */
export interface OnRecord {
  /** Its history rows, the oldest first. */
  readonly rows: readonly HistoryRow[];
  /** Of the last attempt; undefined where the journal says nothing. */
  readonly direction: 'up' | 'down' | undefined;
  readonly status: AttemptStatus | undefined;
  readonly checksum: string | undefined;
  /** Whether code older than it can still run; undefined where nothing was recorded. */
  readonly compatible: boolean | undefined;
}

/** What stood on record of a migration before and after. */
export interface RecordRepair {
  readonly action: RecordAction;
  readonly migration: string;
  readonly before: OnRecord;
  readonly after: OnRecord;
}

/**
 * Shows what a repair will change, asks once, and changes it under the lock and the claim, in one transaction with the journal rows that say who and
 * why. How the last run ended stays as it was. Throws EM_REPAIR_REFUSED where one of them does not fit, EM_NOT_CONFIRMED.
 */
export async function repairRecords(opened: Opened, request: RecordRequest): Promise<readonly RecordRepair[]> {
  const { planned } = await plan(opened, opened.history, request);
  await confirmed(opened.call, questionOf(opened, request.action, planned), request);
  return await underLock(opened, { onFailure: 'as-before', work: async (locked) => await write(locked, request, planned) });
}

/** What a repair does to one migration. */
interface Planned {
  readonly name: string;
  readonly change: Change;
  readonly before: OnRecord;
  readonly sent: readonly ToldStatement[];
}

type Place = Pick<Opened, 'call' | 'session' | 'tables' | 'migrations'>;

async function plan(place: Place, history: History, { action, migrations }: RecordRequest) {
  const standing = await readStanding(place, history);
  const wanted = migrations === 'all' ? allOf(standing) : migrations;
  const names = new Set(wanted.map((each) => findName(place, standing, each)));
  const planned: Planned[] = [];
  for (const name of names) {
    const known = knownOf(place, standing, name);
    planned.push({ name, change: changes[action](known), before: onRecord(known), sent: await readSent(place, known) });
  }
  return { planned, standing };
}

function allOf({ state }: Standing): readonly string[] {
  if (state.edited.length === 0) throw refused('no migration is edited: there is nothing to accept');
  return state.edited;
}

function questionOf({ history }: Opened, action: RecordAction, planned: readonly Planned[]): RepairQuestion {
  const { database } = history.facts;
  const [first, ...others] = planned;
  if (first && others.length === 0)
    return { database, action, migration: first.name, change: first.change.says, before: first.before, sent: first.sent };
  const change = `changes what is on record of each:\n${planned.map(({ name, change: { says } }) => `  ${name}: ${says}`).join('\n')}`;
  const migration = planned.map(({ name }) => name).join(', ');
  return { database, action, migration, change, before: planned.map(({ before }) => before), sent: planned.flatMap(({ sent }) => sent) };
}

async function write(locked: Locked, request: RecordRequest, seen: readonly Planned[]): Promise<readonly RecordRepair[]> {
  const { session, tables, call } = locked;
  const { action, reason } = request;
  const { planned, standing } = await plan(locked, locked.history, request);
  if (JSON.stringify(planned.map(shownOf)) !== JSON.stringify(seen.map(shownOf))) throw changedMeanwhile();
  const claim = await locked.claim(locked.history);
  if (isOther(standing.state.applied, claim.applied)) throw changedMeanwhile(); // knex ran in between
  const begin = session.wire.status === 'T' ? [] : ['begin isolation level read committed;'];
  const rows = planned.flatMap(({ name, change }) => [
    ...renderChange(locked, name, change),
    renderRepair({ call, tables }, { migration: entryName(standing, name), attempt: change.attempt }, { action, reason }),
  ]);
  await aboutHistory(locked, session.send([...begin, ...rows].join('\n')));
  const after = await readStanding(locked, await locked.reread());
  await locked.release({ ...locked.asBefore(), ...digestOfHistory(after.state.applied, recordedChecksums(after.state.journal)) });
  return planned.map(({ name, before }) => {
    call.report.info('repair.done', { action, migration: name });
    return Object.freeze({ action, migration: name, before, after: onRecord(knownOf(locked, after, name)) });
  });
}

function shownOf({ change, before }: Planned): unknown {
  return [change, before];
}

function renderChange({ tables }: Locked, name: string, { insert, remove = [], attempt }: Change): string[] {
  return [
    ...remove.map(({ id }) => `delete from ${tables.history} where id = ${literal(id)};`),
    ...(insert ? [renderHistoryInsert(tables, name, attempt.batch ?? null)] : []),
  ];
}

/** The whole history, and what is made of it. */
interface Standing {
  readonly state: FullState;
  readonly rows: readonly HistoryRow[];
}

async function readStanding({ call, session, tables, migrations }: Place, history: History): Promise<Standing> {
  const resumable = () => Promise.resolve(new Set<string>());
  const state = await readState({ call, session, tables, migrations, history, resumable });
  return { state, rows: history.applied === undefined ? [] : await readRows(session, tables) };
}

async function readRows(session: Session, tables: Tables): Promise<HistoryRow[]> {
  const text = `select id::text as id, name, batch, migration_time as at from ${tables.history} where name is not null order by ${tables.history}.id`;
  return await aboutHistory({ session, tables }, session.query<HistoryRow>(text));
}

function findName({ migrations }: Place, { state, rows }: Standing, wanted: string): string {
  const names = [...rows, ...state.unfinished.map(({ migration: name }) => ({ name })), ...migrations].map(({ name }) => name);
  const byId = new Map(names.reverse().map((name) => [migrationId(name), { name, id: migrationId(name) }])); // the history's form wins
  return findRevision(wanted, [...byId.values()], 'the migration to repair').name;
}

function knownOf({ migrations }: Place, { state, rows }: Standing, name: string): Known {
  const id = migrationId(name);
  return {
    name,
    file: migrations.find((migration) => migration.id === id),
    entry: state.journal.findLast(({ migration }) => migrationId(migration) === id),
    rows: rows.filter((row) => migrationId(row.name) === id),
    state,
  };
}

// The journal goes by the exact name: a new last word must stand under the one that it has.
function entryName({ state }: Standing, name: string): string {
  return state.journal.findLast(({ migration }) => migrationId(migration) === migrationId(name))?.migration ?? name;
}

async function readSent({ session, tables }: Place, { name, entry, state }: Known): Promise<readonly ToldStatement[]> {
  const isUnfinished = state.unfinished.some(({ migration }) => migrationId(migration) === migrationId(name));
  return entry && isUnfinished ? tellSent(await readStatements(session, tables, entry.migration)) : [];
}

function onRecord({ rows, entry }: Known): OnRecord {
  const { direction, status, checksum, breaking } = entry?.detail ?? {};
  return Object.freeze({
    rows: Object.freeze(rows.map((row) => Object.freeze(row))),
    direction,
    status,
    checksum,
    compatible: breaking === undefined ? undefined : !breaking,
  });
}
