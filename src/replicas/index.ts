import { MigrationError, withOutcome } from '../errors.js';
import { errorsOf, type Finding } from '../finding.js';
import { resolved } from '../history/index.js';
import { withFindings, withReplicaStates, type Outcome, type ReplicaOutcome, type ReplicaState } from '../outcome.js';
import { asMigrationError, type Opened } from '../run-call.js';
import { readMark, Replica } from './look.js';
import { lasting, misidentify, misplaced, remedyOf, type Judged } from './state.js';
import { Waiting, type Goal, type Result } from './waiting.js';

/** A replica that is not as it should be, and what is to be told of it. */
export interface Told {
  readonly state: ReplicaState;
  readonly finding?: Finding;
}

/**
 * Before the first change: is each replica a standby of this very primary? Writes nothing. Throws EM_CHECK_FAILED for one that is something else,
 * whatever its policy, and for one that does not answer or lets nobody in where its policy is `fail`; retryable where nobody has answered and
 * nothing else is wrong.
 */
export async function checkReplicas(opened: Opened): Promise<void> {
  refuse('EM_CHECK_FAILED', 'refused before anything was changed', await identifyReplicas(opened));
}

/** Asks all replicas at once who they are, and gives what is wrong. Writes nothing. */
export async function identifyReplicas(opened: Opened): Promise<readonly Told[]> {
  const { history } = resolved(opened); // the search_path of the role may be another one there
  const mark = await readMark(opened.session, history);
  await using replicas = new Replicas(opened, 'pending');
  const seen = await Promise.all(
    replicas.list.map(async (replica): Promise<Told[]> => {
      const look = await replica.look(mark, history);
      const wrong = 'detail' in look ? look : misidentify(look, mark);
      return wrong === undefined ? [] : [{ state: wrong.state, finding: identityFinding(replica, wrong) }];
    }),
  );
  return seen.flat();
}

function identityFinding({ settings: { name, policy } }: Replica, { state, detail }: Judged): Finding {
  const level = policy === 'fail' || misplaced.has(state) ? 'error' : 'warn';
  return { code: 'replica-identity', level, message: `replica ${name} is ${state}: ${detail}`, remedy: remedyOf(state) };
}

/**
 * Waits until each replica shows what the primary shows: its replay has passed the flush position taken now, and the history reads there as
 * here. Where nothing was pending the history alone is proof. Writes nothing. Each state is reported as soon as it is seen (`replica.waiting`).
 * Throws EM_REPLICA_BEHIND for a replica of the policy `fail` whose state waiting does not mend, or when its `timeoutMs`, or the patience of the call,
 * have passed; with `warn` that is a finding, unless it is no replica of this primary. Whatever it throws has the outcome.
 */
export async function waitForReplicas(opened: Opened, outcome: Outcome, found: Goal['found']): Promise<Outcome> {
  const { report } = opened.call;
  let told = outcome;
  try {
    const results = await report.phase('replicas', async () => await follow(opened, found));
    const findings = results.flatMap(({ finding }) => (finding ? [finding] : []));
    told = withReplicaStates(withFindings(outcome, findings), results.map(stateOf), report.timings);
    refuse('EM_REPLICA_BEHIND', 'replicas do not show the schema of the primary', results);
    return told;
  } catch (error) {
    throw withOutcome(asMigrationError(opened.call, error), Object.freeze({ ...told, status: 'failed' }));
  }
}

async function follow(opened: Opened, found: Goal['found']): Promise<readonly Result[]> {
  const { call, session } = opened;
  await using replicas = new Replicas(opened, found);
  if (replicas.list.length === 0) return [];
  const { history } = resolved(opened);
  return await new Waiting({ call, mark: await readMark(session, history), history, found }).until(replicas.list);
}

function stateOf({ name, state, ms }: Result): ReplicaOutcome {
  return { name, state, ms };
}

function refuse(code: 'EM_CHECK_FAILED' | 'EM_REPLICA_BEHIND', what: string, told: readonly Told[]): void {
  const findings = told.flatMap(({ finding }) => (finding ? [finding] : []));
  const refused = errorsOf(findings);
  if (refused.length === 0) return;
  const lines = refused.map(({ code: of, message, remedy }) => `- ${of}: ${message}\n    ${remedy}`);
  const isLasting = told.some(({ state, finding }) => finding?.level === 'error' && lasting.has(state)); // the next try would fail in the same way
  throw new MigrationError(code, [`${what}:`, ...lines].join('\n  '), { findings, exit: isLasting ? 78 : 75 });
}

class Replicas implements AsyncDisposable {
  readonly list: readonly Replica[];

  constructor(opened: Opened, found: Goal['found']) {
    const wanted = opened.call.config.replicas.filter(({ when }) => when === 'always' || found === 'pending');
    this.list = wanted.map((settings) => new Replica(opened, settings));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.list.map(async (replica) => await replica[Symbol.asyncDispose]()));
  }
}
