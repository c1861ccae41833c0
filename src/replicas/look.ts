import type { ReplicaSettings } from '../config/index.js';
import { messageOf } from '../errors.js';
import type { Session, Wire } from '../session/index.js';
import { excerptOf, literal } from '../sql.js';

/** Where the primary stood after its last commit, and what its history says. */
export interface Mark {
  readonly identifier: string;
  readonly database: string;
  readonly inRecovery: boolean;
  readonly startedAt: string;
  /** The flush position; null on a standby, which has none. */
  readonly lsn: string | null;
  readonly applied: readonly string[];
}

/** What one look at a replica has found. */
export interface Look {
  readonly identifier: string;
  readonly database: string;
  readonly inRecovery: boolean;
  readonly startedAt: string;
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
}

const lookLimitMs = 2_000;

/** A replica and our connection to it, opened on need: what cannot be reached now may be there at the next look. */
export class Replica implements AsyncDisposable {
  private wire: Wire | undefined;

  constructor(
    private readonly session: Session,
    readonly settings: ReplicaSettings,
  ) {}

  /** Reads where it stands against the mark. Takes no lock and writes nothing; gives the text of what kept it from answering within 2 s. */
  async look(mark: Pick<Mark, 'lsn'>, history: string): Promise<Look | string> {
    const asking = this.ask(mark, history);
    asking.catch(() => undefined); // a look that was given up still ends, by the end of its connection
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${lookLimitMs} ms`)), lookLimitMs);
    });
    try {
      return await Promise.race([asking, limit]);
    } catch (error) {
      this.wire?.destroy(new Error('given up'));
      this.wire = undefined;
      return messageOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  private async ask({ lsn }: Pick<Mark, 'lsn'>, history: string): Promise<Look> {
    if (this.wire?.lost) this.wire = undefined;
    const { connection } = this.settings;
    const source = async () => ({ connectionTimeoutMillis: lookLimitMs, ...(await connection()) });
    const wire = (this.wire ??= await this.session.openSecond(source, '/replica'));
    const { results } = await wire.send(renderLook(lsn));
    const { rows } = await wire.collect(`select name from ${history} order by id`);
    const names = rows.flat().map(([name]) => name as string);
    const { reader, ...facts } = results[0]?.rows[0] as Omit<Look, 'applied'>;
    const told = reader && { ...reader, query: reader.query === null ? null : excerptOf(reader.query) };
    return { ...facts, reader: told, applied: names };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wire?.close();
  }
}

// An AccessExclusiveLock that is waited for on a standby is the replay's: nobody else may take one there. The query of another role's
// session is shown to members of pg_read_all_stats only.
function renderLook(lsn: string | null): string {
  const reached = (position: string) => `pg_catalog.${position}() >= ${literal(lsn)}::pg_lsn`;
  return `select (select system_identifier::text from pg_catalog.pg_control_system()) as identifier,
       pg_catalog.current_database() as database, pg_catalog.pg_is_in_recovery() as "inRecovery",
       pg_catalog.pg_postmaster_start_time()::text as "startedAt",
       (select count(*)::int from pg_catalog.pg_subscription
        where subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())) as "subscriptionCount",
       ${reached('pg_last_wal_receive_lsn')} as received, ${reached('pg_last_wal_replay_lsn')} as replayed,
       pg_catalog.pg_last_wal_replay_lsn()::text as "replayLsn",
       case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_get_wal_replay_pause_state() end as "pauseState",
       (select setting::int from pg_catalog.pg_settings where name = 'recovery_min_apply_delay') as "delayMs",
       (select pg_catalog.json_build_object('pid', held.pid, 'query', a.query)
        from pg_catalog.pg_locks wanted
        join pg_catalog.pg_locks held on held.granted and held.locktype = wanted.locktype and held.database = wanted.database
         and held.relation = wanted.relation and held.pid <> wanted.pid
        left join pg_catalog.pg_stat_activity a on a.pid = held.pid
        where not wanted.granted and wanted.mode = 'AccessExclusiveLock' and pg_catalog.pg_is_in_recovery() limit 1) as reader`;
}

/** Reads, on our own session, what the replicas are held against. The flush position, not that of insertion: an idle primary may stay short of the latter. */
export async function readMark(session: Session, history: string): Promise<Mark> {
  const [row] = await session.query<Omit<Mark, 'applied'>>(
    `select (select system_identifier::text from pg_catalog.pg_control_system()) as identifier,
       pg_catalog.current_database() as database, pg_catalog.pg_is_in_recovery() as "inRecovery",
       pg_catalog.pg_postmaster_start_time()::text as "startedAt",
       case when not pg_catalog.pg_is_in_recovery() then pg_catalog.pg_current_wal_flush_lsn()::text end as lsn`,
  );
  const { rows } = await session.collect(`select name from ${history} order by id`);
  return { ...(row as Omit<Mark, 'applied'>), applied: rows.flat().map(([name]) => name as string) };
}
