import type { Call } from '../call.js';
import { MigrationError } from '../errors.js';
import type { LockKey } from '../history/index.js';
import { describeHolder, isBusy, jitter, readHolder, type Holder } from '../lock.js';
import type { Session } from '../session/index.js';
import type { Seen, Surveyor } from './survey.js';

export interface WaitRequest {
  readonly call: Call;
  readonly session: Session;
  readonly surveyor: Surveyor;
  /** Of the lock for all tenants. */
  readonly key: LockKey;
}

const reportEveryMs = 5_000;
/** A look at the tenants may take so much of the time, that those who wait do not keep the server from those who work. */
const share = 10;

/** How a wait has ended: all are at head; or what else was waited for is there; or nothing has moved for `timeouts.lockMs`. */
export interface WaitEnd {
  readonly why: 'at-head' | 'ready' | 'timed-out';
  /** Those that were behind when last looked at. */
  readonly names: readonly string[];
  readonly holder: Holder | undefined;
  readonly waitedMs: number;
}

/**
 * Waits until all of these tenants are at head, or until `ready` says that the waiting is over. Looks at the tenants now and then, the last first. Takes no
 * lock, writes nothing. Throws EM_CALL_TIMEOUT, EM_ABORTED.
 */
export class TenantWait {
  private progressedAt = performance.now();
  private reportedAt = -Infinity;
  private lookAfter = 0;
  private sign = '';
  private holder: Holder | undefined;
  private readonly startedAt = performance.now();

  constructor(
    private readonly request: WaitRequest,
    private names: readonly string[],
  ) {}

  /** `ready` is asked first, and then after each look, with what was seen of some that are behind. */
  async until(ready: (behind: readonly Seen[]) => Promise<boolean> | boolean): Promise<WaitEnd> {
    const { call } = this.request;
    for (let seen: readonly Seen[] = []; ;) {
      if (await ready(seen)) return this.end('ready');
      seen = await this.look(seen);
      if (this.names.length === 0) return this.end('at-head');
      await this.progress(seen);
      if (performance.now() - this.progressedAt > call.config.timeouts.lockMs) return this.end('timed-out');
      await call.wait(jitter());
    }
  }

  private end(why: WaitEnd['why']): WaitEnd {
    const { names, holder, waitedMs } = this;
    return { why, names, holder, waitedMs };
  }

  private get waitedMs(): number {
    return Math.round(performance.now() - this.startedAt);
  }

  private async look(before: readonly Seen[]): Promise<readonly Seen[]> {
    const started = performance.now();
    if (started < this.lookAfter) return before;
    const { names, seen } = await this.request.surveyor.stillBehind(this.names);
    this.names = names;
    this.lookAfter = performance.now() + (performance.now() - started) * share;
    return seen;
  }

  private async progress(seen: readonly Seen[]): Promise<void> {
    const { call, session, key } = this.request;
    const holder = await readHolder(session, key);
    const { pids, active } = await readAtWork(session, key);
    const sign = JSON.stringify([holder?.pid, pids, this.names.length, seen.map(({ owner }) => owner)]);
    if (sign !== this.sign || active || isBusy(holder)) this.progressedAt = performance.now();
    this.sign = sign;
    this.holder = holder;
    if (performance.now() - this.reportedAt < reportEveryMs) return;
    this.reportedAt = performance.now();
    call.report.info('lock.waiting', { waitedMs: this.waitedMs, holder, behindCount: this.names.length });
  }
}

export function lockTimedOut({ waitedMs, holder, names }: WaitEnd): MigrationError {
  const what = `waited ${waitedMs} ms for the lock of all tenants, of which ${names.length} are behind; ${describeHolder(holder)}`;
  return new MigrationError('EM_LOCK_TIMEOUT', what);
}

// Those who migrate a tenant hold its lock. What they do is hidden from some roles: then they count as at work, and `timeouts.callMs` ends the wait.
async function readAtWork(
  session: Session,
  { namespace, key }: LockKey,
): Promise<{ readonly pids: readonly number[]; readonly active: boolean }> {
  const [row] = await session.query<{ pids: number[] | null; active: boolean | null }>(
    `select pg_catalog.array_agg(l.pid order by l.pid) as pids, pg_catalog.bool_or(a.state is null or a.state = 'active') as active
     from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = $1::oid and l.objid <> $2::oid and l.objsubid = 2 and l.granted
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`,
    [namespace, key >>> 0],
  );
  return { pids: row?.pids ?? [], active: row?.active ?? false };
}
