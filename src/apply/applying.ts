import type { Call } from '../call.js';
import type { Claim } from '../claim.js';
import type { MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import type { LockKey, Tables } from '../history/index.js';
import type { LiveLint } from '../lint/index.js';
import type { Plan, Step } from '../plan.js';
import type { Session } from '../session/index.js';
import type { Failure, StepConnection, StepContext } from '../step/index.js';
import type { Watch } from '../watch.js';

/** What applying a plan stands on. */
export interface Applying {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly key: LockKey;
  /** `xact` behind a pooler: the transaction is open already, and the advisory lock lives in it. */
  readonly scope: 'session' | 'xact';
  readonly claim: Claim;
  readonly plan: Plan;
  readonly watch: Watch;
  /** Judges what is sent; undefined for a way down, and where the option `lint` is false. */
  readonly lint?: LiveLint | undefined;
  /** Does what is to be done before a step begins, outside of any transaction of steps; throws where it must not begin. */
  readonly openGate?: (step: Step) => Promise<'worked' | 'open'>;
  /** Keeps what it finds and does not refuse. */
  readonly onFound?: (findings: readonly Finding[]) => void;
}

/** One step on its way: what is measured while it runs. */
export class Run {
  readonly started = new Date();
  private readonly startedAt = performance.now();
  private readonly lockWaitBefore: number;
  private endedAt: number | undefined;
  statementCount = 0;

  constructor(
    readonly step: Step,
    /** Grows where a statement outside a transaction is sent again. */
    public tries: number,
    private readonly watch: Watch,
  ) {
    this.lockWaitBefore = watch.lockWaitMs;
  }

  end(): void {
    this.endedAt ??= performance.now();
  }

  get ended(): boolean {
    return this.endedAt !== undefined;
  }

  get durationMs(): number {
    return Math.round((this.endedAt ?? performance.now()) - this.startedAt);
  }

  get lockWaitMs(): number {
    return this.watch.lockWaitMs - this.lockWaitBefore;
  }
}

/** What stood in the way of an attempt that is worth another try. */
export interface Blockers {
  readonly pids: readonly number[];
  /** What the server said of a deadlock: processes and locks, never values. */
  readonly detail?: string | undefined;
}

export interface FailureKind {
  /** The session was lost while the COMMIT was on its way: only the server knows whether it holds. */
  readonly committing?: boolean;
  /** Worth another try: this stood in the way, and what was tried was rolled back. */
  readonly blockers?: Blockers;
  /** Part of the migration is in the database without a history row. */
  readonly leftBehind?: boolean;
  /** The statement that failed, with what the server said, before knex wrote into it. */
  readonly failure?: Failure | undefined;
}

/** How a run of steps ended, for the loop that decides what comes next; `error` is what the caller will be told. */
export class StepFailed extends Error {
  constructor(
    readonly runs: readonly Run[],
    readonly error: MigrationError,
    readonly kind: FailureKind = {},
  ) {
    super(error.message, { cause: error });
  }
}

/** Waits for a stream that was left open, but not for long, and throws the error of one to which nobody listened: it may come when the code has ended. */
export async function refuseUnheard({ session }: Applying, connection: Pick<StepConnection, 'unheard'>): Promise<void> {
  await session.wire.streamClosed();
  if (connection.unheard) throw connection.unheard as Error;
}

/** What functions of ours learn that a step calls. */
export function contextOf({ tables }: Applying, { name, migration }: Step, run: StepContext['run']): StepContext {
  return { migration: name, backfills: migration.backfills, tables, run };
}
