import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '../call.js';
import type { Finding } from '../finding.js';
import type { ReplicaOutcome, ReplicaState } from '../outcome.js';
import type { Look, Mark, Replica, Unseen } from './look.js';
import { judge, lasting, misplaced, remedyOf, type Judged } from './state.js';

/** Where a replica stood in the end, and what is to be told of it. */
export interface Result extends ReplicaOutcome {
  readonly finding?: Finding;
}

export interface Goal {
  readonly call: Call;
  readonly mark: Mark;
  readonly history: string;
  /** What the call came upon, see {@link withReplicas}: where nothing was pending nobody has waited for the replica, and one that is not there is told at once. */
  readonly found: 'in-sync' | 'pending';
}

/** Each replica is followed by itself, all at once: none waits for the answers of another, and the patience of the call is spent once. */
export class Waiting {
  private readonly startedAt = performance.now();
  private readonly told = new Map<string, ReplicaState>();
  private results: readonly Result[] | undefined;

  private readonly patienceMs: number;

  constructor(private readonly goal: Goal) {
    this.patienceMs = goal.call.patienceMs;
  }

  /** Throws EM_ABORTED when told to stop. When the patience of the call is used up, each replica is looked at once more, and that is told of it. */
  async until(replicas: readonly Replica[]): Promise<readonly Result[]> {
    const { call } = this.goal;
    const over = new AbortController();
    const following = Promise.all(replicas.map(async (replica) => await this.follow(replica, over.signal)));
    const done = following.then((results) => (this.results = results));
    done.catch(() => undefined); // heard by the wait, unless that ends first
    try {
      while (this.results === undefined && call.patienceMs > 0) await call.wait(60_000, done);
      return await done;
    } finally {
      over.abort();
    }
  }

  private async follow(replica: Replica, over: AbortSignal): Promise<Result> {
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 1.5, 1_000)) {
      const result = await this.look(replica);
      if (result !== undefined) return result;
      await delay(pauseMs, undefined, { signal: over });
    }
  }

  private async look(replica: Replica): Promise<Result | undefined> {
    const { mark, history, found } = this.goal;
    const { name, policy } = replica.settings;
    const look = await replica.look(mark, history);
    const judged = judge(look, mark, found === 'pending' ? 'replay' : 'content');
    const { state, detail } = judged;
    const ms = Math.round(performance.now() - this.startedAt);
    this.tell(name, judged, ms);
    if (state === 'ready') return { name, state, ms };
    if (!this.isVain(state, look) && !this.isOver(replica, look, ms)) return undefined;
    const level = policy === 'fail' || misplaced.has(state) ? 'error' : 'warn';
    const message = `replica ${name} is ${state} after ${ms} ms: ${detail}`;
    return { name, state, ms, finding: { code: 'replica-behind', level, message, remedy: remedyOf(state) } };
  }

  // A delay that is longer than the call may wait is no reason to wait as long as that.
  private isVain(state: ReplicaState, look: Look | Unseen): boolean {
    if (state === 'unreachable') return this.goal.found === 'in-sync';
    return lasting.has(state) || (state === 'delayed' && delayOf(look) > this.patienceMs);
  }

  private isOver({ settings: { timeoutMs } }: Replica, look: Look | Unseen, ms: number): boolean {
    return ms >= timeoutMs + delayOf(look) || this.goal.call.patienceMs <= 0;
  }

  // Each state once.
  private tell(replica: string, { state, detail }: Judged, ms: number): void {
    const { report } = this.goal.call;
    if (this.told.get(replica) === state) return;
    this.told.set(replica, state);
    if (state === 'ready') report.debug('replica.ready', { replica, ms });
    else report.info('replica.waiting', { replica, state, detail, ms });
  }
}

function delayOf(look: Look | Unseen): number {
  return 'delayMs' in look ? look.delayMs : 0;
}
