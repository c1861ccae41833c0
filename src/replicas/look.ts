import type { ReplicaSettings } from '../config/index.js';
import { messageOf, sqlStateOf } from '../errors.js';
import type { Opened } from '../run-call.js';
import { isRetryable, type Session, type Wire } from '../session/index.js';
import { excerptOf, literal, redact } from '../sql.js';

/** Where the primary stood after its last commit, and what its history says. */
export interface Mark {
  readonly identifier: string;
  readonly database: string;
  readonly inRecovery: boolean;
  readonly startedAt: string;
  /** Null on a standby, as the next one. */
  readonly timeline: number | null;
  /** The flush position. */
  readonly lsn: string | null;
  readonly applied: readonly string[];
}

/** What one look at a replica has found. */
export interface Look {
  readonly identifier: string;
  readonly database: string;
  readonly inRecovery: boolean;
  readonly startedAt: string;
  /** The newest one that it is known to follow. */
  readonly timeline: number;
  readonly subscriptionCount: number;
  /** Null where the server tells no position, as one on shared storage. */
  readonly received: boolean | null;
  readonly replayed: boolean | null;
  readonly replayLsn: string | null;
  readonly pauseState: string | null;
  readonly delayMs: number;
  /** Who stands in the way of the replay. */
  readonly reader: { readonly pid: number; readonly query: string | null } | null;
  /** The history as it reads there; undefined where it cannot be read. */
  readonly applied: readonly string[] | undefined;
  /** What the server said when it did not let this role read the history. */
  readonly denied: string | undefined;
}

/** A replica that could not be looked at: nobody answers, or it does not let us in. */
export interface Unseen {
  readonly state: 'unreachable' | 'rejected';
  readonly detail: string;
}

const lookLimitMs = 2_000;

/** A replica and our connection to it, opened on need: what cannot be reached now may be there at the next look. */
export class Replica implements AsyncDisposable {
  private wire: Wire | undefined;
  private readonly closing = new AbortController();

  constructor(
    private readonly opened: Pick<Opened, 'call' | 'session'>,
    readonly settings: ReplicaSettings,
  ) {}

  /** Reads where it stands against the mark, within 2 s. Takes no lock and writes nothing; throws only when the call is told to stop. */
  async look(mark: Pick<Mark, 'lsn'>, history: string): Promise<Look | Unseen> {
    const { stop } = this.opened.call;
    const silence = new AbortController();
    const limit = AbortSignal.any([stop, this.closing.signal, silence.signal]);
    const timer = setTimeout(() => silence.abort(new Silent(`no answer within ${lookLimitMs} ms`)), lookLimitMs);
    try {
      return await Promise.race([this.ask(mark, history, limit), rejectOn(limit)]);
    } catch (error) {
      silence.abort(error); // a connection that is still being opened is not left behind
      this.wire?.destroy(new Error('given up'));
      this.wire = undefined;
      stop.throwIfAborted();
      return { state: isRejection(error) ? 'rejected' : 'unreachable', detail: redact(textOf(error)) };
    } finally {
      clearTimeout(timer);
    }
  }

  // The history after the position: what is read then is at least as new as that.
  private async ask({ lsn }: Pick<Mark, 'lsn'>, history: string, limit: AbortSignal): Promise<Look> {
    if (this.wire?.lost) this.wire = undefined;
    const wire = this.wire ?? (await this.open(limit));
    const { results } = await wire.send(renderLook(lsn));
    const { reader, ...facts } = results[0]?.rows[0] as Omit<Look, 'applied' | 'denied'>;
    const { rows, error } = await wire.collect(renderHistory(history));
    if (wire.lost) throw wire.lost;
    const told = reader && { ...reader, query: reader.query === null ? null : excerptOf(reader.query) };
    const denied = sqlStateOf(error) === '42501' ? messageOf(error) : undefined;
    return { ...facts, reader: told, applied: error === undefined ? namesIn(rows) : undefined, denied };
  }

  private async open(limit: AbortSignal): Promise<Wire> {
    const wire = await this.opened.session.openSecond(this.settings.connection, '/replica', { stop: limit });
    if (limit.aborted) wire.destroy(limit.reason as Error);
    limit.throwIfAborted();
    return (this.wire = wire);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort(new Silent('the call has ended'));
    await this.wire?.close();
  }
}

class Silent extends Error {}

// Of `localhost`, when both of its addresses refuse, Node's own message is empty.
function textOf(error: unknown): string {
  return messageOf(error) || String((error as { code?: unknown }).code);
}

async function rejectOn(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    if (signal.aborted) reject(signal.reason as Error);
  });
}

// Class 28: the login; class 42: a right. What else a server says passes, such as a database that has not come to the standby yet; what a server
// has not said is a host name, a certificate or a function of the user's that is wrong, unless it is one of the network's own.
function isRejection(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === undefined ? !(error instanceof Silent) && !isRetryable(error) : /^(28|42)/.test(state);
}

function renderHistory(history: string): string {
  return `select name from ${history} order by id`;
}

function namesIn(rows: readonly unknown[][][]): string[] {
  return rows.flat().map(([name]) => name as string);
}

const identity = `(select system_identifier::text from pg_catalog.pg_control_system()) as identifier,
       pg_catalog.current_database() as database, pg_catalog.pg_is_in_recovery() as "inRecovery",
       extract(epoch from pg_catalog.pg_postmaster_start_time())::text as "startedAt"`;

// An AccessExclusiveLock that is waited for on a standby is the replay's: nobody else may take one there. A snapshot that still sees what the
// replay has to clean away is in its way too; that the replay waits for one, and the query of another role's session, is shown to members of
// pg_read_all_stats only, as is the timeline that arrives: without it, the one that was last kept on disk is known.
function renderLook(lsn: string | null): string {
  const reached = (position: string) => `pg_catalog.${position}() >= ${literal(lsn)}::pg_lsn`;
  const told = (pid: string) => `pg_catalog.json_build_object('pid', ${pid}, 'query', case when a.state is not null then a.query end)`;
  return `select ${identity},
       (select greatest(c.timeline_id, r.min_recovery_end_timeline, (select received_tli from pg_catalog.pg_stat_wal_receiver))
        from pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r) as timeline,
       (select count(*)::int from pg_catalog.pg_subscription
        where subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())) as "subscriptionCount",
       ${reached('pg_last_wal_receive_lsn')} as received, ${reached('pg_last_wal_replay_lsn')} as replayed,
       pg_catalog.pg_last_wal_replay_lsn()::text as "replayLsn",
       case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_get_wal_replay_pause_state() end as "pauseState",
       (select setting::int from pg_catalog.pg_settings where name = 'recovery_min_apply_delay') as "delayMs",
       coalesce(
         (select ${told('held.pid')} from pg_catalog.pg_locks wanted
          join pg_catalog.pg_locks held on held.granted and held.locktype = wanted.locktype and held.database = wanted.database
           and held.relation = wanted.relation and held.pid <> wanted.pid
          left join pg_catalog.pg_stat_activity a on a.pid = held.pid
          where not wanted.granted and wanted.mode = 'AccessExclusiveLock' and pg_catalog.pg_is_in_recovery() limit 1),
         (select ${told('a.pid')} from pg_catalog.pg_stat_activity replay
          join pg_catalog.pg_stat_activity a on a.backend_type = 'client backend' and a.backend_xmin is not null and a.pid <> pg_catalog.pg_backend_pid()
          where replay.backend_type = 'startup' and replay.wait_event = 'RecoveryConflictSnapshot'
          order by pg_catalog.age(a.backend_xmin) desc limit 1)) as reader`;
}

/**
 * Reads, on our own session, what the replicas are held against. The flush position, not that of insertion: an idle primary may stay short of the
 * latter. Its timeline is that of the position: the control file of a server that was just promoted still names the one before.
 */
export async function readMark(session: Session, history: string): Promise<Mark> {
  const [row] = await session.query<Omit<Mark, 'applied'>>(
    `select ${identity}, lsn::text as lsn, ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(lsn), 8))::bit(32)::int as timeline
     from (select case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_current_wal_flush_lsn() end as lsn) flushed`,
  );
  const { rows, error } = await session.collect(renderHistory(history));
  if (error !== undefined && sqlStateOf(error) !== '42P01') throw error as Error; // 42P01: nothing has been migrated yet
  return { ...(row as Omit<Mark, 'applied'>), applied: namesIn(rows) };
}
