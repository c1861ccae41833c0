import type { Call } from './call.js';
import type { Finding } from './finding.js';
import type { Phase } from './log.js';
import type { State } from './state.js';

/** A migration that this call has applied, or taken back. */
export interface AppliedMigration {
  readonly name: string;
  readonly durationMs: number;
  /** How often it was tried: more than once when it had to wait for table locks. */
  readonly tries: number;
  readonly batch: number;
}

/** What a call came to. Plain data, frozen. */
export interface Outcome {
  /** `ahead`: the database has newer migrations, and each is marked compatible with older code. `off`: nothing was looked at. */
  readonly status: 'in-sync' | 'ahead' | 'migrated' | 'off';
  /** The newest applied revision before; undefined when there was none, or when nothing was looked at. */
  readonly from: string | undefined;
  /** The newest applied revision afterwards. */
  readonly to: string | undefined;
  readonly applied: readonly AppliedMigration[];
  /** What a downgrade has taken back, newest first. */
  readonly reverted?: readonly AppliedMigration[];
  /** The file of the backup that was taken before; of a backup by a command, the last line that it wrote. */
  readonly backup?: string;
  /** What was found and did not refuse the boot. */
  readonly findings: readonly Finding[];
  /** Milliseconds per phase. */
  readonly timings: Readonly<Partial<Record<Phase, number>>>;
}

export interface OutcomeParts {
  readonly status: Outcome['status'];
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly applied?: readonly AppliedMigration[];
  readonly reverted?: readonly AppliedMigration[];
  readonly backup?: string | undefined;
  readonly findings?: readonly Finding[];
}

export function outcomeOf(call: Call, { status, from, to, applied = [], reverted, backup, findings = [] }: OutcomeParts): Outcome {
  const timings = Object.freeze({ ...call.report.timings });
  return Object.freeze({
    status,
    from,
    to,
    applied: Object.freeze([...applied]),
    ...(reverted && { reverted: Object.freeze([...reverted]) }),
    ...(backup !== undefined && { backup }),
    findings: Object.freeze([...findings]),
    timings,
  });
}

/** The outcome of a call that had nothing to apply. */
export function nothingToDo(call: Call, { ahead, revision, findings }: State): Outcome {
  return outcomeOf(call, { status: ahead.length > 0 ? 'ahead' : 'in-sync', from: revision, to: revision, findings });
}
