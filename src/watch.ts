import type { Call } from './call.js';
import { messageOf } from './errors.js';
import { afterSilence, type Session, type Wire } from './session/index.js';
import { withoutLeadingComments } from './sql.js';

const samplePeriodMs = 50;
const harmPeriodMs = 15; // while others queue behind us: their waiting adds up faster the more they are
const reopenPeriodMs = 1_000;
const lockTimeoutMs = { least: 100, most: 500 };

/** Statements that are never cancelled: a concurrent build that is leaves an invalid index behind, and it blocks nobody's reads or writes meanwhile. */
const untouchable = /^(?:create|drop|reindex|alter)\b[^;]*\bconcurrently\b/i;

/** Why our own statement was cancelled, recorded before the cancel was sent: a 57014 without one is a timeout's or an operator's. */
export interface Intent {
  readonly why: 'harm' | 'patience';
  readonly harmMs: number;
  readonly blockers: readonly number[];
}

/** A second connection that measures the harm that our waiting does to others, and cancels us in time. Also the heartbeat of a long statement. */
export interface Watch extends AsyncDisposable {
  /** `lock-timeout` when there is no second connection, or it was lost once: each attempt is bounded by lock_timeout then. */
  readonly mode: 'watching' | 'lock-timeout';
  /** Milliseconds that we were seen waiting for locks. */
  readonly lockWaitMs: number;
  /** Milliseconds that the server has been waiting for us in the middle of a statement (a cursor, a COPY) while nothing moved. */
  readonly starvedMs: number;
  /** Takes the intent behind the last cancel, if there was one. */
  takeIntent(): Intent | undefined;
  /** For the statements that open an attempt: 0 while somebody watches. */
  lockTimeout(): number;
}

export interface WatchRequest {
  readonly call: Call;
  readonly session: Session;
  readonly backendPid: number;
  readonly pooled: boolean;
}

/** Opens the watching connection; without one (no connection left, a pooler) the watch falls back to lock_timeout. */
export async function startWatch({ call, session, backendPid, pooled }: WatchRequest): Promise<Watch> {
  if (pooled) return withoutConnection();
  const source = call.config.directConnection ?? call.config.connection;
  const open = async () => await session.openSecond(source, '/watch');
  try {
    return new Watching({ call, wire: await open(), open, cancel: async () => await session.cancel(), watched: session.wire, backendPid });
  } catch (error) {
    call.stop.throwIfAborted();
    call.report.warn('watch.unavailable', { reason: messageOf(error) });
    return withoutConnection();
  }
}

function withoutConnection(): Watch {
  return {
    mode: 'lock-timeout',
    lockWaitMs: 0,
    starvedMs: 0,
    takeIntent: () => undefined,
    lockTimeout: jitteredLockTimeout,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function jitteredLockTimeout(): number {
  return Math.round(lockTimeoutMs.least + Math.random() * (lockTimeoutMs.most - lockTimeoutMs.least));
}

interface Sample {
  readonly waiting: boolean;
  readonly harm_ms: number;
  /** wait_event_type of our backend; null when it is gone. */
  readonly wait: string | null;
  readonly blockers: readonly number[];
}

// pg_stat_activity hides the waits of other roles; pg_locks shows them to everyone, with waitstart since PostgreSQL 14.
const sampleSql = `
  with us as materialized (select exists (select from pg_catalog.pg_locks where pid = $1 and not granted) as waiting)
  select waiting,
    case when waiting then (
      select coalesce(sum(extract(epoch from pg_catalog.clock_timestamp() - waitstart)) * 1000::numeric, 0)::float8 from pg_catalog.pg_locks
      where not granted and pid <> $1 and waitstart is not null and $1 = any (pg_catalog.pg_blocking_pids(pid))
    ) else 0 end as harm_ms,
    case when waiting then pg_catalog.pg_blocking_pids($1) else '{}' end as blockers,
    (select coalesce(wait_event_type, '') from pg_catalog.pg_stat_activity where pid = $1) as wait
  from us`;

interface Parts {
  readonly call: Call;
  readonly watched: Wire;
  readonly wire: Wire;
  readonly open: () => Promise<Wire>;
  /** Cancels without a connection. */
  readonly cancel: () => Promise<void>;
  readonly backendPid: number;
}

class Watching implements Watch {
  mode: Watch['mode'] = 'watching';
  lockWaitMs = 0;
  private intent: Intent | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private cancelled: Wire['running'];
  private sampledAt = 0;
  private harmMs = 0;
  private starving: { readonly running: Wire['running']; readonly traffic: number; readonly since: number } | undefined;
  private reopenedAt = -Infinity;
  private unbounded = false; // the last transaction began while we watched, without a lock_timeout

  private readonly call: Call;
  private readonly watched: Wire;
  private readonly open: () => Promise<Wire>;
  private readonly cancel: () => Promise<void>;
  private readonly backendPid: number;
  private wire: Wire;

  constructor(parts: Parts) {
    ({
      call: this.call,
      watched: this.watched,
      wire: this.wire,
      open: this.open,
      cancel: this.cancel,
      backendPid: this.backendPid,
    } = parts);
    this.schedule();
  }

  get starvedMs(): number {
    return this.starving && this.starving.running === this.watched.running ? performance.now() - this.starving.since : 0;
  }

  takeIntent(): Intent | undefined {
    const { intent } = this;
    this.intent = undefined;
    return intent;
  }

  lockTimeout(): number {
    this.unbounded = this.mode === 'watching';
    return this.unbounded ? 0 : jitteredLockTimeout();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.wire.close();
  }

  private schedule(): void {
    if (this.stopped || this.watched.lost) return;
    this.timer = setTimeout(() => void this.tick().finally(() => this.schedule()), this.harmMs > 0 ? harmPeriodMs : samplePeriodMs);
    this.timer.unref();
  }

  private async tick(): Promise<void> {
    this.harmMs = 0;
    if (this.wire.lost) await this.reopen();
    const { running } = this.watched;
    if (!running) return;
    if (this.cancelled !== running) this.intent = undefined; // that statement had ended before its cancel arrived
    if (this.wire.lost) return await this.cancelUnseen(running);
    const { leaseMs } = this.call.config.timeouts;
    const heard = afterSilence(leaseMs, () => this.giveUp('the server has not answered the watching connection'));
    try {
      const sample = await this.sample();
      this.watched.heardAt = performance.now();
      this.noteStarving(sample, running);
      if (sample.wait === null) this.giveUp('our backend is gone from pg_stat_activity');
      const sinceLastMs = this.measure(running);
      this.harmMs = sample.harm_ms;
      if (!sample.waiting || this.watched.running !== running || this.cancelled === running) return;
      this.lockWaitMs += sinceLastMs;
      this.call.spend(sinceLastMs);
      await this.judge(sample, running);
    } catch (error) {
      if (!this.stopped) this.call.report.warn('watch.failed', { reason: messageOf(error) });
    } finally {
      heard();
    }
  }

  private noteStarving({ wait }: Sample, running: NonNullable<Wire['running']>): void {
    const { traffic } = this.watched;
    if (wait !== 'Client') this.starving = undefined;
    else if (this.starving?.running !== running || this.starving.traffic !== traffic)
      this.starving = { running, traffic, since: performance.now() };
  }

  // How much of the running statement's time this sample stands for.
  private measure({ since }: NonNullable<Wire['running']>): number {
    const before = Math.max(this.sampledAt, since);
    this.sampledAt = performance.now();
    return Math.round(this.sampledAt - before);
  }

  // An administrator, or an idle timeout of the role, may have ended it, and what we run may wait for a table at this moment.
  private async reopen(): Promise<void> {
    if (performance.now() - this.reopenedAt < reopenPeriodMs) return;
    this.reopenedAt = performance.now();
    this.mode = 'lock-timeout';
    try {
      this.wire = await this.open();
      if (this.stopped) await this.wire.close();
    } catch (error) {
      this.call.report.warn('watch.unavailable', { reason: messageOf(error) });
    }
  }

  private async sample(): Promise<Sample> {
    const { results } = await this.wire.send({ name: 'sample', text: sampleSql, values: [this.backendPid] });
    return results[0]?.rows[0] as Sample;
  }

  private async judge({ harm_ms: harmMs, blockers }: Sample, running: NonNullable<Wire['running']>): Promise<void> {
    const why = harmMs > this.call.config.timeouts.harmMs ? 'harm' : this.call.patienceMs <= 0 ? 'patience' : undefined;
    if (why === undefined || untouchable.test(withoutLeadingComments(running.text))) return;
    this.cancelled = running;
    this.intent = { why, harmMs: Math.round(harmMs), blockers };
    const cancelled = this.wire.send({ text: 'select pg_catalog.pg_cancel_backend($1)', values: [this.backendPid] });
    this.watched.barrier = cancelled.catch(() => undefined);
    await cancelled;
  }

  // Whether it waits, and who waits for it, nobody sees any more: it is taken back, and the next try has a lock_timeout. What runs outside
  // a migration's transaction is let be: it would not be tried again.
  private async cancelUnseen(running: NonNullable<Wire['running']>): Promise<void> {
    if (!this.unbounded || this.cancelled === running || performance.now() - running.since < lockTimeoutMs.most) return;
    const opens = withoutLeadingComments(running.text).startsWith('begin ');
    if (this.watched.status === 'I' && !opens) return;
    this.cancelled = running;
    this.intent = { why: 'harm', harmMs: 0, blockers: [] };
    await this.cancel();
  }

  private giveUp(why: string): void {
    this.watched.destroy(new Error(why));
  }
}
