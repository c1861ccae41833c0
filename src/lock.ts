import { createHash } from 'node:crypto';
import type { Call } from './call.js';
import { MigrationError } from './errors.js';
import { readHistory, renderTryLock, schemaOf, type History, type LockKey, type Tables } from './history/index.js';
import type { Session } from './session/index.js';
import { excerptOf, literal } from './sql.js';

/** 'emig' as an integer: the first key of our advisory locks, so that an operator finds them all in pg_locks. */
export const lockNamespace = 0x656d6967;

const pollMs = { least: 100, most: 500 };
const reportEveryMs = 5_000;

/** The one lock of a history table: two services with tables of their own do not queue behind each other. */
export function lockKey(facts: History['facts'], tables: Tables): LockKey {
  const table = `${schemaOf(tables, facts) ?? ''}.${tables.names.history}`;
  return { namespace: lockNamespace, key: createHash('sha256').update(table).digest().readInt32BE(0) };
}

/** Who holds the lock, as far as this role may see. */
export interface Holder {
  readonly pid: number;
  readonly application: string | null;
  readonly host: string | null;
  readonly since: Date | null;
  readonly state: string | null;
  readonly wait: string | null;
  readonly statement: string | null;
  /** From the owner row: which migration, k of n, on which machine. */
  readonly migration?: string | undefined;
  readonly step?: number | undefined;
  readonly of?: number | undefined;
}

export interface LockRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly key: LockKey;
  /** `xact` behind a pooler: the lock lives in the one transaction that does everything. */
  readonly scope: 'session' | 'xact';
  /** Whether what was read meanwhile is good enough to go on without ever taking the lock. */
  readonly settled: (history: History) => Promise<boolean>;
}

/**
 * Takes the advisory lock, or finds while waiting that somebody else has brought the database to head. Polls, and never waits inside a
 * statement: a session that does holds a snapshot, and CREATE INDEX CONCURRENTLY in the holder then deadlocks or hangs.
 * `locked` in what it gives tells which. Waits `timeouts.lockMs` since the holder's last progress; throws EM_LOCK_TIMEOUT with the holder's name.
 *
 * An operator finds the holder with:
 *   select a.* from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.classid = 1701669223;
 */
export async function acquireLock(request: LockRequest): Promise<History> {
  const progress = new ProgressWatch(request);
  const first = await attempt(request, progress);
  if (first) return first;
  await using wake = await listen(request);
  for (;;) {
    await request.call.wait(jitter(), wake.next());
    const result = await attempt(request, progress);
    if (result) return result;
  }
}

async function attempt(request: LockRequest, progress: ProgressWatch): Promise<History | undefined> {
  const { call, session, key } = request;
  const history = await tryLock(request);
  if (history.locked) {
    call.report.info('lock.taken', { waitedMs: Math.round(progress.waitedMs) });
    return history;
  }
  if (await request.settled(history)) return history;
  await progress.look(await readHolder(session, key), history);
  return undefined;
}

/** The time until the next look, in ms: jittered, so that many processes do not ask in step. */
export function jitter(): number {
  return pollMs.least + Math.random() * (pollMs.most - pollMs.least);
}

async function tryLock({ session, tables, key, scope }: LockRequest): Promise<History> {
  if (scope === 'session') return await readHistory(session, tables, { tryLock: { key, scope } });
  await session.send('begin isolation level read committed');
  const history = await readHistory(session, tables, { tryLock: { key, scope } });
  // A missing table has failed the transaction, and the lock went with it: what it said is kept, the lock is taken again.
  if (history.locked && session.wire.status === 'T') return history;
  await session.send('rollback');
  if (!history.locked) return history;
  // What was set went with the transaction.
  const again = await session.send(
    `begin isolation level read committed; ${session.renderOwn()} select ${renderTryLock({ key, scope })} as locked`,
  );
  const locked = (again.results.at(-1)?.rows[0] as { locked: boolean } | undefined)?.locked === true;
  if (!locked) await session.send('rollback');
  return { ...history, locked };
}

const busyMarks = { backup: '/backup', restore: '/restore', backfill: '/backfill' };

/**
 * Does work of the holder that is no statement of its session, during which that is idle. Shown to those who wait as its application_name,
 * which every role may read; costs nothing, writes nothing, and ends with the session, which the lease bounds.
 */
export async function whileBusy<T>(
  { session, scope }: Pick<LockRequest, 'session' | 'scope'>,
  what: keyof typeof busyMarks,
  work: () => Promise<T>,
): Promise<T> {
  const isLocal = scope === 'xact';
  const [row] = await session.query<{ name: string }>(`select pg_catalog.current_setting('application_name') as name`);
  const name = row?.name ?? '';
  const mark = (shown: string) => `select pg_catalog.set_config('application_name', ${literal(shown)}, ${isLocal})`;
  await session.send(mark(`${name.slice(0, 63 - busyMarks[what].length)}${busyMarks[what]}`));
  const result = await work();
  await session.send(mark(name)); // when the work has failed, the session ends soon
  return result;
}

/** Whether the holder is at work, though no statement of its runs. */
export function isBusy(holder: Pick<Holder, 'application'> | undefined): boolean {
  return Object.values(busyMarks).some((mark) => holder?.application?.endsWith(mark));
}

/** The session that holds the lock, if any. Roles that may not see it get nulls. */
export async function readHolder(session: Session, { namespace, key }: LockKey): Promise<Holder | undefined> {
  const [holder] = await session.query<Holder>(
    `select l.pid, a.application_name as application, pg_catalog.host(a.client_addr) as host, a.backend_start as since, a.state,
            a.wait_event as wait, a.query as statement
     from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1::oid and l.objid = $2::oid and l.objsubid = 2 and l.granted
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`,
    [namespace, key >>> 0],
  );
  return holder && { ...holder, statement: holder.statement && excerptOf(holder.statement) };
}

// Progress of the holder: its owner row changed, another session holds the lock, or a statement of its still runs, or has ended since the last look.
class ProgressWatch {
  private readonly started = performance.now();
  private progressedAt = this.started;
  private reportedAt = -Infinity;
  private reportedStep: number | undefined;
  private stuckSince: number | undefined;
  private seen = '';
  private streamed = '';

  constructor(private readonly request: LockRequest) {}

  get waitedMs(): number {
    return performance.now() - this.started;
  }

  async look(found: Holder | undefined, { owner }: History): Promise<void> {
    const { call } = this.request;
    const holder = found && { ...found, migration: owner?.migration, step: owner?.step, of: owner?.of };
    const sign = JSON.stringify([found?.pid, found?.state, owner]);
    const silent = found?.state === 'active' && found.wait === 'ClientRead'; // inside COPY FROM STDIN or an open cursor
    const streamed = silent ? await this.readStream(found.pid) : '';
    const moved = sign !== this.seen || streamed !== this.streamed;
    if (moved || isBusy(found) || (found?.state === 'active' && !silent)) this.progressedAt = performance.now();
    if (moved || !silent) this.stuckSince = undefined;
    this.seen = sign;
    this.streamed = streamed;
    if (silent) await this.endSilentHolder(found.pid);
    this.report(holder);
    const quietMs = performance.now() - this.progressedAt;
    if (quietMs < call.config.timeouts.lockMs) return;
    throw new MigrationError('EM_LOCK_TIMEOUT', `waited ${Math.round(this.waitedMs)} ms for the migration lock; ${describeHolder(holder)}`);
  }

  private report(holder: Holder | undefined): void {
    if (performance.now() - this.reportedAt < reportEveryMs && holder?.step === this.reportedStep) return;
    this.reportedAt = performance.now();
    this.reportedStep = holder?.step;
    this.request.call.report.info('lock.waiting', { waitedMs: Math.round(this.waitedMs), holder });
  }

  // What a stream that lives changes: COPY what it has read, a cursor its state with each fetch.
  private async readStream(pid: number): Promise<string> {
    const rows = await this.request.session.query(
      `select a.state_change, c.bytes_processed from pg_catalog.pg_stat_activity a
       left join pg_catalog.pg_stat_progress_copy c on c.pid = a.pid where a.pid = $1`,
      [pid],
    );
    return JSON.stringify(rows);
  }

  // No idle timeout runs there, so a frozen holder would keep the lock for ever. Only a session of the same role may be ended.
  private async endSilentHolder(pid: number): Promise<void> {
    this.stuckSince ??= performance.now();
    const { session, call } = this.request;
    if (performance.now() - this.stuckSince < call.config.timeouts.leaseMs) return;
    const [row] = await session.query<{ ended: boolean }>(
      `select pg_catalog.pg_terminate_backend(pid) as ended from pg_catalog.pg_stat_activity
       where pid = $1 and usename = current_user and state = 'active' and wait_event = 'ClientRead'`,
      [pid],
    );
    call.report.warn('lock.holder-ended', { pid, ended: row?.ended ?? false });
    this.stuckSince = undefined;
  }
}

/** A holder in words, for a message: `held by pid ...`. */
export function describeHolder(holder: Holder | undefined): string {
  if (!holder) return 'no holder is visible to this role';
  const { pid, application, host, since, migration, step, of, statement } = holder;
  const where = migration === undefined ? '' : `, at ${migration} (${step} of ${of})`;
  return `held by pid ${pid} (${application ?? 'not visible to this role'}, ${host ?? 'local'}) since ${since?.toISOString() ?? '?'}${where}; it last ran: ${statement ?? '?'}`;
}

/** With the key after it, as an unsigned number: the channel on which a holder that is done wakes those who wait; they poll all the same. */
export const wakePrefix = 'ensure_migrated_';

export function wakeChannel({ key }: LockKey): string {
  return `${wakePrefix}${key >>> 0}`;
}

// An idle LISTEN holds no snapshot. Behind a pooler the server connection is not ours to listen on.
async function listen({ session, key, scope }: LockRequest): Promise<{ next(): Promise<void> | undefined } & AsyncDisposable> {
  if (scope === 'xact') return { next: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  const { client } = session.wire;
  let wakeUp: () => void = () => undefined;
  const onNotification = () => wakeUp();
  client.on('notification', onNotification);
  await session.send(`listen ${wakeChannel(key)}`);
  return {
    next: () => new Promise((resolve) => (wakeUp = resolve)),
    async [Symbol.asyncDispose]() {
      client.off('notification', onNotification);
      if (!session.wire.lost) await session.send(`unlisten ${wakeChannel(key)}`).catch(() => undefined); // the next statement says so
    },
  };
}

/** Raises SQLSTATE EMLCK unless this session still holds the lock: the pid alone proves nothing after DISCARD ALL. One statement. */
export function renderPossession({ namespace, key }: LockKey): string {
  const body = `begin
    if not exists (select from pg_catalog.pg_locks where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted
                   and classid = ${namespace}::oid and objid = ${key >>> 0}::oid and objsubid = 2) then
      raise exception 'ensure-migrated no longer holds its advisory lock' using errcode = 'EMLCK';
    end if; end`;
  return `do ${literal(body)};`;
}

/** Lets go and wakes the others. `also` rides in the same message, before. Behind a pooler the lock went with its transaction. */
export function renderRelease(key: LockKey, scope: LockRequest['scope']): string {
  return scope === 'xact' ? '' : `select pg_catalog.pg_advisory_unlock(${key.namespace}, ${key.key}); notify ${wakeChannel(key)};`;
}
