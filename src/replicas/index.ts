import { findingsError, MigrationError, withOutcome } from '../errors.js';
import { errorsOf, type Finding } from '../finding.js';
import { withFindings, withReplicaStates, type Outcome, type ReplicaOutcome } from '../outcome.js';
import { inSchema } from '../read-state.js';
import type { Opened } from '../run-call.js';
import { readMark, Replica, type Mark } from './look.js';
import { judge, lasting, misidentify, misplaced, remedies, type Judged } from './state.js';

/**
 * Before the first change: is each replica a standby of this very primary? Asks all at once, writes nothing. Throws EM_CHECK_FAILED for one
 * that is something else, whatever its policy, and for one that cannot be reached where its policy is `fail`.
 */
export async function checkReplicas(opened: Opened): Promise<void> {
  const history = historyOf(opened);
  const mark = await readMark(opened.session, history);
  await using replicas = new Replicas(opened);
  const found = await Promise.all(
    replicas.list.map(async (replica) => {
      const look = await replica.look(mark, history);
      const wrong = typeof look === 'string' ? ({ state: 'unreachable', detail: look } as const) : misidentify(look, mark);
      return wrong === undefined ? [] : [identityFinding(replica, wrong)];
    }),
  );
  const findings = found.flat();
  if (errorsOf(findings).length > 0) throw findingsError('EM_CHECK_FAILED', 'refused before anything was changed', findings);
}

function identityFinding({ settings: { name, policy } }: Replica, { state, detail }: Judged): Finding {
  const level = state === 'unreachable' && policy === 'warn' ? 'warn' : 'error';
  return { code: 'replica-identity', level, message: `replica ${name} is ${state}: ${detail}`, remedy: remedyOf(state) };
}

/**
 * Waits until each replica shows what the primary shows: its replay has passed the flush position taken now, and the history reads there as
 * here. A call that has changed nothing takes the history alone as proof. Writes nothing. Each state is reported as soon as it is seen
 * (`replica.waiting`). Throws EM_REPLICA_BEHIND, with the outcome, for a replica of the policy `fail` whose state waiting does not mend, or
 * when its `timeoutMs` have passed; with `warn` that is a finding, unless it is no replica of this primary.
 */
export async function withReplicas(opened: Opened, outcome: Outcome): Promise<Outcome> {
  const { call, session } = opened;
  const history = historyOf(opened);
  await using replicas = new Replicas(opened, outcome.status);
  const results = await call.report.phase('replicas', async () => {
    const mark = await readMark(session, history);
    return await new Waiting({ call, mark, history, proof: outcome.status === 'migrated' ? 'replay' : 'content' }).until(replicas.list);
  });
  const findings = results.flatMap((result) => (result.finding ? [result.finding] : []));
  const told = withReplicaStates(withFindings(outcome, findings), results.map(stateOf), call.report.timings);
  if (errorsOf(findings).length > 0) throw withOutcome(behind(findings, results), { ...told, status: 'failed' });
  return told;
}

// A person must act on one of them: then the next try fails in the same way.
function behind(findings: readonly Finding[], results: readonly Result[]): MigrationError {
  const lines = errorsOf(findings).map(({ code, message, remedy }) => `- ${code}: ${message}\n    ${remedy}`);
  const isLasting = results.some(({ state, finding }) => finding?.level === 'error' && lasting.has(state));
  return new MigrationError('EM_REPLICA_BEHIND', ['replicas do not show the schema of the primary:', ...lines].join('\n  '), {
    findings,
    ...(isLasting && { exit: 78 }),
  });
}

interface Result extends ReplicaOutcome {
  readonly finding?: Finding;
}

function stateOf({ name, state, ms }: Result): ReplicaOutcome {
  return { name, state, ms };
}

interface Goal {
  readonly call: Opened['call'];
  readonly mark: Mark;
  readonly history: string;
  /** See {@link judge}. */
  readonly proof: 'content' | 'replay';
}

/** One round after the other, all replicas at once in each: the wait of the call is that for the slowest, not the sum. */
class Waiting {
  private readonly startedAt = performance.now();
  private readonly told = new Map<string, string>();

  constructor(private readonly goal: Goal) {}

  async until(replicas: readonly Replica[]): Promise<readonly Result[]> {
    const results = new Map<Replica, Result>();
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 1.5, 1_000)) {
      const open = replicas.filter((replica) => !results.has(replica));
      const looks = await Promise.all(open.map(async (replica) => [replica, await this.look(replica)] as const));
      for (const [replica, result] of looks) if (result !== undefined) results.set(replica, result);
      if (results.size === replicas.length) return replicas.map((replica) => results.get(replica) as Result);
      await this.goal.call.wait(pauseMs);
    }
  }

  private async look(replica: Replica): Promise<Result | undefined> {
    const { mark, history, proof } = this.goal;
    const { name, policy, timeoutMs } = replica.settings;
    const look = await replica.look(mark, history);
    const judged: Judged = typeof look === 'string' ? { state: 'unreachable', detail: look } : judge(look, mark, proof);
    const { state, detail } = judged;
    const ms = Math.round(performance.now() - this.startedAt);
    this.tell(name, judged, ms);
    if (state === 'ready') return { name, state, ms };
    const limitMs = timeoutMs + (typeof look === 'string' ? 0 : look.delayMs);
    if (!lasting.has(state) && ms < limitMs) return undefined;
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

class Replicas implements AsyncDisposable {
  readonly list: readonly Replica[];

  constructor({ call, session }: Opened, status: Outcome['status'] = 'migrated') {
    const wanted = call.config.replicas.filter(({ when }) => when === 'always' || status === 'migrated');
    this.list = wanted.map((settings) => new Replica(session, settings));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.list.map(async (replica) => await replica[Symbol.asyncDispose]()));
  }
}

// With its schema: the search_path of the role may be another one there.
function historyOf({ tables, history: { facts } }: Opened): string {
  const schema = tables.schema ?? facts.schema;
  return schema === null ? tables.history : inSchema(tables, schema).history;
}

function remedyOf(state: Judged['state']): string {
  return state === 'ready' ? '' : remedies[state];
}
