import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '../call.js';
import type { Finding } from '../finding.js';
import type { ReplicaOutcome, ReplicaState } from '../outcome.js';
import type { Mark, Replica } from './look.js';
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

  constructor(private readonly goal: Goal) {}

  /** Throws EM_ABORTED when told to stop, EM_CALL_TIMEOUT when the patience of the call is used up. */
  async until(replicas: readonly Replica[]): Promise<readonly Result[]> {
    const { call } = this.goal;
    const over = new AbortController();
    const following = Promise.all(replicas.map(async (replica) => await this.follow(replica, over.signal)));
    const done = following.then((results) => (this.results = results));
    done.catch(() => undefined); // heard by the wait, unless that ends first
    try {
      while (this.results === undefined) await call.wait(60_000, done);
      return this.results;
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
    const { name, policy, timeoutMs } = replica.settings;
    const look = await replica.look(mark, history);
    const judged = judge(look, mark, found === 'pending' ? 'replay' : 'content');
    const { state, detail } = judged;
    const ms = Math.round(performance.now() - this.startedAt);
    this.tell(name, judged, ms);
    if (state === 'ready') return { name, state, ms };
    const isOver = ms >= timeoutMs + ('delayMs' in look ? look.delayMs : 0);
    if (!isOver && !lasting.has(state) && !(state === 'unreachable' && found === 'in-sync')) return undefined;
    const level = policy === 'fail' || misplaced.has(state) ? 'error' : 'warn';
    const message = `replica ${name} is ${state} after ${ms} ms: ${detail}`;
    return { name, state, ms, finding: { code: 'replica-behind', level, message, remedy: remedyOf(state) } };
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
