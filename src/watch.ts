import type { Call } from './call.js';
import { messageOf } from './errors.js';
import type { Session, Wire } from './session/index.js';

const samplePeriodMs = 50;
const lockTimeoutMs = { least: 100, most: 500 };

/** Why our own statement was cancelled, recorded before the cancel was sent: a 57014 without one is a timeout's or an operator's. */
export interface Intent {
  readonly why: 'harm' | 'patience';
  readonly harmMs: number;
  readonly blockers: readonly number[];
}

/** A second connection that measures the harm that our waiting does to others, and cancels us in time. Also the heartbeat of a long statement. */
export interface Watch extends AsyncDisposable {
  /** `lock-timeout` when there is no second connection: each attempt is bounded by lock_timeout instead. */
  readonly mode: 'watching' | 'lock-timeout';
  /** Milliseconds that we were seen waiting for locks. */
  readonly lockWaitMs: number;
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
  try {
    const source = call.config.directConnection ?? call.config.connection;
    const wire = await session.openSecond(source, '/watch');
    return new Watching({ call, wire, watched: session.wire, backendPid });
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
    takeIntent: () => undefined,
    lockTimeout: () => Math.round(lockTimeoutMs.least + Math.random() * (lockTimeoutMs.most - lockTimeoutMs.least)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface Sample {
  readonly waiting: boolean;
  readonly harm_ms: number;
  readonly alive: boolean;
  readonly blockers: readonly number[];
}

// pg_stat_activity hides the waits of other roles; pg_locks shows them to everyone, with waitstart since PostgreSQL 14.
const sampleSql = `
  with us as materialized (select exists (select from pg_catalog.pg_locks where pid = $1 and not granted) as waiting)
  select waiting,
    case when waiting then (
      select coalesce(sum(extract(epoch from pg_catalog.clock_timestamp() - waitstart)) * 1000, 0)::float8 from pg_catalog.pg_locks
      where not granted and pid <> $1 and waitstart is not null and $1 = any (pg_catalog.pg_blocking_pids(pid))
    ) else 0 end as harm_ms,
    case when waiting then pg_catalog.pg_blocking_pids($1) else '{}' end as blockers,
    exists (select from pg_catalog.pg_stat_activity where pid = $1) as alive
  from us`;

class Watching implements Watch {
  readonly mode = 'watching';
  lockWaitMs = 0;
  private intent: Intent | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private cancelled: Wire['running'];

  private readonly call: Call;
  private readonly watched: Wire;
  private readonly wire: Wire;
  private readonly backendPid: number;

  constructor(parts: { call: Call; watched: Wire; wire: Wire; backendPid: number }) {
    ({ call: this.call, watched: this.watched, wire: this.wire, backendPid: this.backendPid } = parts);
    this.schedule();
  }

  takeIntent(): Intent | undefined {
    const { intent } = this;
    this.intent = undefined;
    return intent;
  }

  lockTimeout(): number {
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.wire.close();
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.tick().finally(() => this.schedule()), samplePeriodMs);
    this.timer.unref();
  }

  private async tick(): Promise<void> {
    const { running } = this.watched;
    if (!running || this.wire.lost) return;
    const silence = setTimeout(() => this.giveUp('the server has not answered the watching connection'), this.call.config.timeouts.leaseMs);
    try {
      const sample = await this.sample();
      if (!sample.alive) this.giveUp('our backend is gone from pg_stat_activity');
      if (sample.waiting && this.watched.running === running && this.cancelled !== running) await this.judge(sample, running);
    } catch (error) {
      if (!this.stopped) this.call.report.warn('watch.failed', { reason: messageOf(error) });
    } finally {
      clearTimeout(silence);
    }
  }

  private async sample(): Promise<Sample> {
    const { results } = await this.wire.send({ name: 'sample', text: sampleSql, values: [this.backendPid] });
    return results[0]?.rows[0] as Sample;
  }

  private async judge({ harm_ms: harmMs, blockers }: Sample, running: NonNullable<Wire['running']>): Promise<void> {
    this.lockWaitMs += samplePeriodMs;
    this.call.spend(samplePeriodMs);
    const why = harmMs > this.call.config.timeouts.harmMs ? 'harm' : this.call.patienceMs <= 0 ? 'patience' : undefined;
    // A cancelled concurrent build leaves an invalid index behind, and it blocks nobody's reads or writes meanwhile.
    if (why === undefined || /\bconcurrently\b/i.test(running.text)) return;
    this.cancelled = running;
    this.intent = { why, harmMs: Math.round(harmMs), blockers };
    const cancelled = this.wire.send({ text: 'select pg_catalog.pg_cancel_backend($1)', values: [this.backendPid] });
    this.watched.barrier = cancelled.catch(() => undefined);
    await cancelled;
  }

  private giveUp(why: string): void {
    this.watched.destroy(new Error(why));
  }
}
