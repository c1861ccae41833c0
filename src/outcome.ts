import type { Finding } from './finding.js';

/** The phases of a boot, in the order in which they can happen. Their durations stand in `outcome.timings`. */
export const phases = ['connect', 'read', 'lock', 'check', 'backup', 'apply', 'verify', 'release', 'replicas'] as const;
/** One of {@link phases}. */
export type Phase = (typeof phases)[number];

/** `ahead`: the database has newer migrations, and each is marked compatible with older code. `off`: nothing was looked at. */
export type OutcomeStatus = 'in-sync' | 'ahead' | 'migrated' | 'off';

/** A migration that this call has applied, or taken back. */
export interface AppliedMigration {
  /** Of the migration, as the history has it. */
  readonly name: string;
  /** Of the try that went through, in milliseconds. */
  readonly durationMs: number;
  /** How often it was tried: more than once when it had to wait for table locks. */
  readonly tries: number;
  /** That of its row in the history: all of one run have the same. */
  readonly batch: number;
}

/** A backfill that is not done, as it stood when it was asked. Plain data, frozen. */
export interface UnfinishedBackfill {
  readonly name: string;
  /** The last two wait for a person: see `error`. `passed`: its rows are done, and it is being verified. */
  readonly status: 'queued' | 'running' | 'passed' | 'paused' | 'failed' | 'unverified';
  /** Rows of the table that it has come past, and of about how many. */
  readonly seenCount: number;
  /** Of the table, as its last ANALYZE has it; undefined where there was none. */
  readonly estimatedCount: number | undefined;
  /** How long the rest takes at the speed of the recent batches; undefined while nobody is at work. */
  readonly remainingMs: number | undefined;
  /** Why it has stopped, without a value of any column but the key. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

/** Where a replica stands. `ready`: it shows the migrated schema. docs/replicas.md says what each of the others means. */
export type ReplicaState =
  | 'ready'
  | 'paused'
  | 'replay-blocked'
  | 'delayed'
  | 'not-received'
  | 'behind'
  | 'unreachable'
  | 'rejected'
  | 'unreadable'
  | 'other-cluster'
  | 'not-a-replica'
  | 'logical';

/** Where one replica stood when the call returned. Plain data, frozen. */
export interface ReplicaOutcome {
  /** That of the option, or `replica-1` by its place in the list. */
  readonly name: string;
  readonly state: ReplicaState;
  /** How long it took to see that, from the last commit. */
  readonly ms: number;
}

/** What a call came to in one of several tenants, or streams. Plain data, frozen. */
export interface TenantOutcome {
  readonly name: string;
  readonly status: OutcomeStatus;
  /** The newest applied revision before; undefined when there was none. */
  readonly from: string | undefined;
  /** The newest applied revision afterwards. */
  readonly to: string | undefined;
  /** What this call has applied to it, in this order. */
  readonly applied: readonly AppliedMigration[];
  /** Not there when there are none. */
  readonly backfills?: readonly UnfinishedBackfill[];
}

/** The same of a stream. */
export type StreamOutcome = TenantOutcome;

/** What a call came to. Plain data, frozen. */
export interface Outcome {
  readonly status: OutcomeStatus;
  /** The newest applied revision before; undefined when there was none, or when nothing was looked at. */
  readonly from: string | undefined;
  /** The newest applied revision afterwards. */
  readonly to: string | undefined;
  /** What this call has applied, in this order. */
  readonly applied: readonly AppliedMigration[];
  /** What a downgrade has taken back, newest first. */
  readonly reverted?: readonly AppliedMigration[];
  /** The file of the backup that was taken before; of a backup by a command, the last line that it wrote. */
  readonly backup?: string;
  /** Backfills that are not done; not there when there are none. */
  readonly backfills?: readonly UnfinishedBackfill[];
  /** The replicas that were looked at, in the order of the option. */
  readonly replicas?: readonly ReplicaOutcome[];
  /** Of a call for tenants: each of them, in the order of the option. `from` and `to` above are what all of them share. */
  readonly tenants?: readonly TenantOutcome[];
  /** Of a call with streams: each of them, `main` too, in the order in which they are brought to head. `from` and `to` above are those of `main`. */
  readonly streams?: readonly StreamOutcome[];
  /** What was found and did not refuse the boot. */
  readonly findings: readonly Finding[];
  /** Milliseconds per phase. */
  readonly timings: Readonly<Partial<Record<Phase, number>>>;
}

/** What had been done, under the lock, when a call failed; `to` is the newest revision that it knows to be applied. Plain data, frozen. */
export interface FailedOutcome extends Omit<Outcome, 'status'> {
  readonly status: 'failed';
}

// Of a Call and of a State only this: they stand on higher floors, and errors have an outcome.
interface Timed {
  readonly report: { readonly timings: Outcome['timings'] };
}

interface Compared {
  readonly ahead: readonly unknown[];
  readonly revision: string | undefined;
  readonly findings: readonly Finding[];
}

export interface OutcomeParts {
  readonly status: OutcomeStatus;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly applied?: readonly AppliedMigration[];
  readonly reverted?: readonly AppliedMigration[];
  readonly backup?: string | undefined;
  readonly findings?: readonly Finding[];
}

export function outcomeOf(call: Timed, { status, ...parts }: OutcomeParts): Outcome {
  return Object.freeze({ status, ...frozen(call, parts) });
}

export function failedOutcomeOf(call: Timed, parts: Omit<OutcomeParts, 'status'>): FailedOutcome {
  return Object.freeze({ status: 'failed', ...frozen(call, parts) });
}

function frozen(
  call: Timed,
  { from, to, applied = [], reverted, backup, findings = [] }: Omit<OutcomeParts, 'status'>,
): Omit<Outcome, 'status'> {
  const timings = Object.freeze({ ...call.report.timings });
  return {
    from,
    to,
    applied: Object.freeze([...applied]),
    ...(reverted && { reverted: Object.freeze([...reverted]) }),
    ...(backup !== undefined && { backup }),
    findings: Object.freeze([...findings]),
    timings,
  };
}

/** The status of several that make one. */
export function statusOfAll(outcomes: readonly Pick<Outcome, 'status'>[]): OutcomeStatus {
  const statuses = new Set(outcomes.map(({ status }) => status));
  return statuses.has('migrated') ? 'migrated' : statuses.has('ahead') ? 'ahead' : 'in-sync';
}

/** The same outcome with what was found afterwards. */
export function withFindings(outcome: Outcome, findings: readonly Finding[]): Outcome {
  return findings.length === 0 ? outcome : Object.freeze({ ...outcome, findings: Object.freeze([...outcome.findings, ...findings]) });
}

/** The same outcome with where the replicas stand. */
export function withReplicaStates(outcome: Outcome, replicas: readonly ReplicaOutcome[], timings: Outcome['timings']): Outcome {
  const frozenReplicas = Object.freeze(replicas.map((replica) => Object.freeze({ ...replica })));
  return Object.freeze({ ...outcome, replicas: frozenReplicas, timings: Object.freeze({ ...timings }) });
}

/** The outcome of a call that had nothing to apply. */
export function nothingToDo(call: Timed, { ahead, revision, findings }: Compared): Outcome {
  return outcomeOf(call, { status: ahead.length > 0 ? 'ahead' : 'in-sync', from: revision, to: revision, findings });
}

/** The same outcome with what is not done of backfills, and what was found of them. */
export function withBackfills(outcome: Outcome, backfills: readonly UnfinishedBackfill[], found: readonly Finding[] = []): Outcome {
  const findings = Object.freeze([...outcome.findings, ...found]);
  return Object.freeze({ ...outcome, ...(backfills.length > 0 && { backfills: Object.freeze([...backfills]) }), findings });
}
