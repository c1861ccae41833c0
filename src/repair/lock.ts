import { sqlStateOf } from '../errors.js';
import { aboutHistory, asUnreadable, renderCreateTables, type LockKey } from '../history/index.js';
import { renderRepair } from '../journal-rows.js';
import { describeHolder, lockKey, readHolder, type Holder } from '../lock.js';
import type { Opened } from '../run-call.js';
import { underLock, type Locked } from '../under-lock.js';
import { confirmed, type Asking } from './confirm.js';
import { readLocks, readSuspects, type Locks, type Suspect } from './locks.js';
import { changedMeanwhile, refused } from './refused.js';

export interface LockRequest extends Asking {
  readonly reason: string;
  /** Ends the session that holds the migration lock. Default: a lock that is held is a refusal. */
  readonly terminate?: boolean | undefined;
}

/** Who held the locks before and after. */
export interface LockRepair {
  readonly action: 'lock';
  readonly migration: undefined;
  readonly before: Locks;
  readonly after: Locks;
}

/**
 * Frees what a dead process holds, shown first: knex's lock row, where neither a run of ours nor a session that may be knex stands behind it; with
 * `terminate` also the migration lock, by ending its holder. Nothing to free is no error. Never waits for the migration lock: while it is
 * held, knex's row is its holder's. Throws EM_REPAIR_REFUSED for what may be at work, EM_NOT_CONFIRMED.
 */
export async function repairLock(opened: Opened, request: LockRequest): Promise<LockRepair> {
  const { history, tables } = opened;
  const place = { ...opened, key: lockKey(history.facts, tables) };
  const before = await readLocks(place);
  const change = changeOf(before, request);
  if (change === undefined) return told(before, before);
  const { database } = opened.history.facts;
  await confirmed(opened.call, { database, action: 'lock', migration: undefined, change, before, sent: [] }, request);
  if (before.holder) await endHolder(place, before.holder, request);
  if (before.isLocked) await freeRow(opened, before, request);
  return told(before, await readLocks(place));
}

function told(before: Locks, after: Locks): LockRepair {
  return Object.freeze({ action: 'lock', migration: undefined, before, after });
}

// What will be done, or undefined where nothing is to be freed. Pure.
function changeOf({ holder, isLocked, setBy, suspects }: Locks, { terminate }: LockRequest): string | undefined {
  if (holder && !terminate) {
    const then = 'Wait for it. If it is dead, `ensure-migrated repair lock --terminate` ends its session.';
    throw refused(`the migration lock is ${describeHolder(holder)}`, then);
  }
  if (suspects.length > 0) {
    const then = 'Wait until they are done, or end them with pg_terminate_backend, and start again.';
    throw refused(`knex's lock row is set, and these sessions may be knex at work: ${suspects.map(suspectText).join('; ')}`, then);
  }
  const ends = holder && `ends the session that holds the migration lock (${describeHolder(holder)})`;
  const frees = isLocked && `clears knex's lock row, which ${setBy === 'knex' ? 'knex or a person' : 'a run of ensure-migrated'} has set`;
  return [ends, frees].filter(Boolean).join(', and ') || undefined;
}

function suspectText({ pid, application, host, state, statement }: Suspect): string {
  return `pid ${pid} (${application || 'no name'}, ${host ?? 'local'}, ${state ?? 'unknown'}): ${statement ?? '?'}`;
}

const endsWithinMs = 5_000;

// By what was shown: the pid may be another session's by now, and the lock another pid's.
async function endHolder(place: Opened & { readonly key: LockKey }, { pid, since }: Holder, { reason }: LockRequest): Promise<void> {
  const { call, session, tables, key, history } = place;
  const now = await readHolder(session, key);
  if (now?.pid !== pid || now.since?.getTime() !== since?.getTime()) throw changedMeanwhile();
  const [row] = await session.query<{ ended: boolean }>(
    `select pg_catalog.pg_terminate_backend(pid, $4) as ended from pg_catalog.pg_locks
     where locktype = 'advisory' and classid = $1::oid and objid = $2::oid and objsubid = 2 and granted and pid = $3
       and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`,
    [key.namespace, key.key >>> 0, pid, endsWithinMs],
  );
  if (row === undefined) throw changedMeanwhile();
  if (!row.ended) throw refused(`pid ${pid} has not ended within ${endsWithinMs} ms`, 'Look at what it does, and at the server.');
  call.report.warn('lock.holder-ended', { pid, ended: true });
  if (history.journal === 'known') await session.send(renderRepair({ call, tables }, {}, { action: `lock: ended pid ${pid}`, reason }));
}

// Whoever takes the lock meanwhile takes the row over, where it is a dead run's.
async function freeRow(opened: Opened, seen: Locks, request: LockRequest): Promise<void> {
  await underLock<void | 'taken by another'>(opened, {
    whenHeld: () => 'taken by another',
    work: async (locked) => await clear(locked, seen, request),
  });
}

async function clear(locked: Locked, { flag, setBy }: Locks, { reason }: LockRequest): Promise<void> {
  const { call, session, tables } = locked;
  await aboutHistory(locked, session.send(renderCreateTables(tables))); // knex alone makes no journal
  await lockRow(locked);
  const [row] = await session.query<{ flag: string }>(`select xmin::text as flag from ${tables.lock} where is_locked = 1 limit 1`);
  if (row?.flag !== flag) return await locked.release(); // freed by somebody else, or set anew: it is not what was shown
  if (setBy === 'knex' && (await readSuspects(session, tables)).length > 0) throw changedMeanwhile();
  const note = renderRepair({ call, tables }, {}, { action: "lock: cleared knex's row", reason });
  await aboutHistory(locked, session.send(`update ${tables.lock} set is_locked = 0;\n${note}\ncommit;`));
  await locked.release();
  call.report.info('repair.done', { action: 'lock' });
}

async function lockRow({ session, tables }: Locked): Promise<void> {
  const begin = session.wire.status === 'T' ? '' : 'begin isolation level read committed;';
  try {
    await session.send(`${begin} set local lock_timeout = '1s'; lock table ${tables.lock} in exclusive mode;`);
  } catch (error) {
    if (sqlStateOf(error) !== '55P03') throw await asUnreadable({ session, tables }, error);
    throw refused(
      `somebody has locked ${tables.lock} in an open transaction: knex may be at work`,
      'Wait until it is done, and start again.',
    );
  }
}
