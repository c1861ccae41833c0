import type { ReplicaState } from '../outcome.js';
import type { Look, Mark, Unseen } from './look.js';

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
  // Of two servers that were one before a failover, the primary may be the one that was left behind.
  if (mark.timeline !== null && look.timeline > mark.timeline) return otherTimeline(look, mark);
  return undefined;
}

function logical({ subscriptionCount }: Look): Judged {
  return { state: 'logical', detail: `it is a logical subscriber (${subscriptionCount} subscriptions), a primary of its own` };
}

function otherCluster(look: Look, mark: Mark): Judged {
  return { state: 'other-cluster', detail: `it belongs to the cluster ${look.identifier}, the primary is ${mark.identifier}` };
}

function otherTimeline(look: Look, mark: Mark): Judged {
  return {
    state: 'other-cluster',
    detail: `it follows a server that was promoted (timeline ${look.timeline}, the primary's is ${mark.timeline})`,
  };
}

/**
 * Where a replica stands, held against what it was asked for: `content`, to show the history of the primary; `replay`, to have replayed the mark
 * too, where it tells. Pure.
 */
export function judge(look: Look | Unseen, mark: Mark, proof: 'content' | 'replay'): Judged {
  if ('detail' in look) return look;
  const wrong = misidentify(look, mark);
  if (wrong !== undefined) return wrong;
  if (isShown(look, mark, proof)) return { state: 'ready', detail: 'it shows the schema' };
  const { pauseState, reader, received, replayed, delayMs, replayLsn, denied } = look;
  if (denied !== undefined && replayed !== false) return { state: 'unreadable', detail: denied }; // before that the grant may be on its way
  if (pauseState !== null && pauseState !== 'not paused') return { state: 'paused', detail: `its replay is ${pauseState}` };
  if (reader !== null)
    return { state: 'replay-blocked', detail: `its replay waits for the reader with pid ${reader.pid}${queryOf(reader)}` };
  const where = `replayed ${String(replayLsn)} of ${String(mark.lsn)}`;
  if (received !== true && replayed === false) return { state: 'not-received', detail: `it has not received all; ${where}` };
  if (delayMs > 0) return { state: 'delayed', detail: `its replay is delayed by ${delayMs} ms (recovery_min_apply_delay); ${where}` };
  return { state: 'behind', detail: where };
}

// What it has and the primary lacks is a downgrade that it has not replayed, or a migration that was applied since the mark was taken.
function isShown({ applied, replayed }: Look, mark: Mark, proof: 'content' | 'replay'): boolean {
  if (applied === undefined || !mark.applied.every((name) => applied.includes(name))) return false;
  return replayed !== false || (proof === 'content' && applied.length === mark.applied.length);
}

function queryOf({ query }: { readonly query: string | null }): string {
  return query === null ? '' : `: ${query}`;
}

/** What is no replica of this primary: no policy makes it one. */
export const misplaced: ReadonlySet<ReplicaState> = new Set(['other-cluster', 'not-a-replica', 'logical']);

/** Waiting does not mend these: a person has to. */
export const lasting: ReadonlySet<ReplicaState> = new Set(['paused', 'rejected', 'unreadable', ...misplaced]);

/** An imperative for each state; `ready` needs none. */
export function remedyOf(state: ReplicaState): string {
  return state === 'ready' ? '' : remedies[state];
}

const remedies: Readonly<Record<Exclude<ReplicaState, 'ready'>, string>> = {
  paused: 'Resume it there (select pg_wal_replay_resume()), or take it out of service, then start the service again.',
  'replay-blocked': 'End that reader on the replica (select pg_terminate_backend(pid)), or lower max_standby_streaming_delay there.',
  delayed: 'Raise its `timeoutMs`, or take a delayed replica out of `replicas`: it is for recovery, not for reads.',
  'not-received': 'See whether it is connected (pg_stat_wal_receiver there, pg_stat_replication on the primary) and its network.',
  behind: 'Wait until it has caught up, or raise its `timeoutMs`, then start the service again.',
  unreachable: 'Start it or correct its connection, or give it the policy `warn`.',
  rejected: 'Correct the user, the password, the database name or the TLS settings of its connection.',
  unreadable: 'On the primary, grant that role usage on the schema of the history table, and select on the table.',
  'other-cluster': 'Correct its connection, or `connection`.',
  'not-a-replica': 'Correct its connection, or `connection`: after a failover the roles are exchanged.',
  logical:
    'Take it out of `replicas` and migrate it by a call of its own: additive changes on the subscriber first, destructive ones on the publisher first.',
};
