import type { Call } from '../call.js';
import type { ThrottleSettings } from '../config/index.js';
import { messageOf } from '../errors.js';
import type { Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { leavesOf } from './key.js';
import { pause } from './pause.js';

const lookEveryMs = 1_000;
const reportEveryMs = 30_000;

type Limit = 'replicaLagMs' | 'replicaLagBytes' | 'slotBacklogBytes' | 'waitingLocksCount';

/** What the server says of itself; null where nothing is known. */
type Signs = Readonly<Record<Limit, number | null>> & {
  readonly vacuumedTable: string | null;
  /** Replicas of which this role may not see how far they are. */
  readonly hiddenCount: number;
};

/** Keeps a worker from going on while others would suffer from it. Asks the server at most once a second, in one query. */
export class Throttle {
  private askedAt = -Infinity;
  private readonly above = new Set<Limit>();
  private reportedAt = -Infinity;
  private toldHidden = false;

  constructor(
    private readonly call: Call,
    private readonly tables: Tables,
    private readonly settings: ThrottleSettings | false,
  ) {}

  /** One turn of a worker: when nothing is in the way of it, and with the rest that belongs to it. */
  async paced(session: Session, turn: () => Promise<'worked' | 'nothing'>): Promise<'worked' | 'nothing'> {
    await this.untilClear(session);
    const started = performance.now();
    const done = await turn();
    if (done === 'worked') await this.rest(performance.now() - started);
    return done;
  }

  private async untilClear(session: Session): Promise<void> {
    while (performance.now() - this.askedAt >= lookEveryMs) {
      const reason = await this.reason(session);
      if (reason === undefined) {
        this.askedAt = performance.now();
        this.reportedAt = -Infinity;
        return;
      }
      this.report(reason);
      await pause(this.call, lookEveryMs);
    }
  }

  // Batches take no more than their share of the time.
  private async rest(ms: number): Promise<void> {
    if (this.settings && this.settings.duty < 1) await pause(this.call, (ms * (1 - this.settings.duty)) / this.settings.duty);
  }

  private async reason(session: Session): Promise<string | undefined> {
    if (!this.settings) return undefined;
    const [signs] = await session.query<Signs>(statement(this.tables));
    if (!signs) return undefined;
    if (signs.hiddenCount > 0) this.tellHidden(signs.hiddenCount);
    const over = (Object.keys(sentences) as Limit[]).filter((limit) => this.isOver(limit, signs[limit]));
    if (over[0]) return `${sentences[over[0]]} ${signs[over[0]]}`;
    if (this.settings.autovacuum && signs.vacuumedTable !== null) return `autovacuum is at work on ${signs.vacuumedTable}`;
    return await this.ask();
  }

  // Else it would stop and go with every batch at the limit.
  private isOver(name: Limit, value: number | null): boolean {
    const limit = this.settings ? this.settings[name] : undefined;
    const isOver = limit !== undefined && value !== null && value > (this.above.has(name) ? limit / 2 : limit);
    if (isOver) this.above.add(name);
    else this.above.delete(name);
    return isOver;
  }

  private async ask(): Promise<string | undefined> {
    const check = this.settings ? this.settings.check : undefined;
    try {
      const said = await check?.();
      if (said === undefined || said === false || said === '') return undefined;
      return said === true ? 'throttle.check says so' : said;
    } catch (error) {
      return `throttle.check failed: ${messageOf(error)}`;
    }
  }

  private report(reason: string): void {
    const now = performance.now();
    const isDue = now - this.reportedAt >= reportEveryMs;
    if (isDue) this.reportedAt = now;
    this.call.report[isDue ? 'warn' : 'debug']('backfill.waiting', { reason });
  }

  private tellHidden(replicaCount: number): void {
    if (this.toldHidden) return;
    this.toldHidden = true;
    this.call.report.warn('backfill.replicas-hidden', {
      replicaCount,
      remedy: 'Grant pg_monitor to the role, so that a backfill waits for replicas.',
    });
  }
}

const sentences: Readonly<Record<Limit, string>> = {
  replicaLagMs: 'the slowest replica is behind by ms:',
  replicaLagBytes: 'the slowest replica is behind by bytes:',
  slotBacklogBytes: 'WAL kept for a replication slot, in bytes:',
  waitingLocksCount: 'sessions that wait for a lock:',
};

const statement = ({ backfills }: Tables) => `select
    (select max(extract(epoch from replay_lag) * 1000::numeric)::float8 from pg_catalog.pg_stat_replication) as "replicaLagMs",
    (select max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn))::float8 from pg_catalog.pg_stat_replication) as "replicaLagBytes",
    (select count(*)::int from pg_catalog.pg_stat_replication where state is null) as "hiddenCount",
    (select max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn))::float8 from pg_catalog.pg_replication_slots) as "slotBacklogBytes",
    (select pg_catalog.count(distinct pid)::int from pg_catalog.pg_locks where not granted) as "waitingLocksCount",
    (select b.relation from pg_catalog.pg_stat_progress_vacuum v join pg_catalog.pg_stat_activity a on a.pid = v.pid and a.backend_type = 'autovacuum worker'
     join ${backfills} b on v.relid in (${leavesOf('pg_catalog.to_regclass(b.relation)')}) and b.status = 'running'
     where v.datname = pg_catalog.current_database() limit 1) as "vacuumedTable"`;
