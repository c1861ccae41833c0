import type { ReplicaState } from '../outcome.js';
import type { Look, Mark } from './look.js';

export interface Judged {
  readonly state: ReplicaState;
  /** What was seen, for the person who has to act. */
  readonly detail: string;
}

/** What a replica is, whatever it has replayed; undefined for a standby of our primary. Pure. */
export function misidentify(look: Look, mark: Mark): Judged | undefined {
  if (mark.inRecovery) return { state: 'not-a-replica', detail: 'the server of `connection` is a standby itself' };
  if (look.identifier !== mark.identifier) return look.subscriptionCount > 0 ? logical(look) : otherCluster(look, mark);
  if (!look.inRecovery) {
    const isPrimary = look.startedAt === mark.startedAt;
    return { state: 'not-a-replica', detail: isPrimary ? 'it is the primary itself' : 'it is in no recovery: it has been promoted' };
  }
  if (look.database !== mark.database)
    return { state: 'other-cluster', detail: `it is the database "${look.database}" instead of "${mark.database}"` };
  return undefined;
}

function logical({ subscriptionCount }: Look): Judged {
  return { state: 'logical', detail: `it is a logical subscriber (${subscriptionCount} subscriptions), a primary of its own` };
}

function otherCluster(look: Look, mark: Mark): Judged {
  return { state: 'other-cluster', detail: `it belongs to the cluster ${look.identifier}, the primary is ${mark.identifier}` };
}

/** Where a replica stands. `content`: its history is proof enough; `replay`: it must have replayed the mark too, where it tells. Pure. */
export function judge(look: Look, mark: Mark, proof: 'content' | 'replay'): Judged {
  const wrong = misidentify(look, mark);
  if (wrong !== undefined) return wrong;
  if (isEqual(look, mark) && (proof === 'content' || look.replayed !== false)) return { state: 'ready', detail: 'it shows the schema' };
  const { pauseState, reader, received, delayMs, replayLsn } = look;
  if (pauseState !== null && pauseState !== 'not paused') return { state: 'paused', detail: `its replay is ${pauseState}` };
  if (reader !== null)
    return { state: 'replay-blocked', detail: `its replay waits for the reader with pid ${reader.pid}${queryOf(reader)}` };
  const where = `replayed ${String(replayLsn)} of ${String(mark.lsn)}`;
  if (received !== true && look.replayed === false) return { state: 'not-received', detail: `it has not received all; ${where}` };
  if (delayMs > 0) return { state: 'delayed', detail: `its replay is delayed by ${delayMs} ms (recovery_min_apply_delay); ${where}` };
  return { state: 'behind', detail: where };
}

function isEqual({ applied }: Look, mark: Mark): boolean {
  return applied !== undefined && mark.applied.every((name) => applied.includes(name));
}

function queryOf({ query }: { readonly query: string | null }): string {
  return query === null ? '' : `: ${query}`;
}

/** What is no replica of this primary: no policy makes it one. */
export const misplaced: ReadonlySet<ReplicaState> = new Set(['other-cluster', 'not-a-replica', 'logical']);

/** Waiting does not mend these: a person has to. */
export const lasting: ReadonlySet<ReplicaState> = new Set(['paused', ...misplaced]);

/** An imperative for each state that is not `ready`. */
export const remedies: Readonly<Record<Exclude<ReplicaState, 'ready'>, string>> = {
  paused: 'Resume it there (select pg_wal_replay_resume()), or take it out of service, then start the service again.',
  'replay-blocked': 'End that reader on the replica (select pg_terminate_backend(pid)), or lower max_standby_streaming_delay there.',
  delayed: 'Raise its `timeoutMs`, or take a delayed replica out of `replicas`: it is for recovery, not for reads.',
  'not-received': 'See whether it is connected (pg_stat_wal_receiver there, pg_stat_replication on the primary) and its network.',
  behind: 'Wait until it has caught up, or raise its `timeoutMs`, then start the service again.',
  unreachable: 'Start it or correct its connection, or give it the policy `warn`.',
  'other-cluster': 'Correct its connection, or `connection`.',
  'not-a-replica': 'Correct its connection, or `connection`: after a failover the roles are exchanged.',
  logical:
    'Take it out of `replicas` and migrate it by a call of its own: additive changes on the subscriber first, destructive ones on the publisher first.',
};
