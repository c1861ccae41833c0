import { isStronger, type LockMode } from '../../lock-mode.js';
import type { PlannedStep } from '../plan.js';

/** How it is known that a table is locked. */
export type Known = 'seen in a copy' | 'by the manual' | 'foreseen';

/** The strongest lock on one table, with what is done to the table. */
export interface TableLock {
  readonly table: string;
  readonly mode: LockMode;
  /** Where it is an index that is locked more strongly than its table. */
  readonly index: string | undefined;
  readonly work: readonly string[];
  readonly known: Known;
  /** The migrations that lock it, by their place in the plan from 1. */
  readonly steps: readonly number[];
}

/**
 * The strongest lock on each table over all steps, the strongest first. What a trace has seen is what the server does; what is foreseen stands in where a step
 * was not traced. Pure.
 */
export function locksOf(steps: readonly PlannedStep[]): readonly TableLock[] {
  const locks = new Map<string, TableLock>();
  for (const [index, step] of steps.entries()) {
    for (const lock of stepLocks(step, index + 1)) locks.set(lock.table, joined(locks.get(lock.table), lock));
  }
  return [...locks.values()].sort((one, other) => order(one, other) || (one.table < other.table ? -1 : 1));
}

function order(one: TableLock, other: TableLock): number {
  if (one.mode === other.mode) return 0;
  return isStronger(one.mode, other.mode) ? -1 : 1;
}

/** The same of one step. Undefined where nothing is known of it. */
function stepLocks(step: PlannedStep, number: number): readonly TableLock[] {
  const found = step.trace ? tracedLocks(step.trace, step.locks) : foreseenLocks(step.locks ?? []);
  const locks = new Map<string, TableLock>();
  for (const lock of found) locks.set(lock.table, joined(locks.get(lock.table), { ...lock, steps: [number] }));
  return [...locks.values()];
}

type Lock = Omit<TableLock, 'steps'>;

function tracedLocks(statements: NonNullable<PlannedStep['trace']>, foreseen: PlannedStep['locks'] = []): Lock[] {
  const isIndexed = (table: string) => foreseen.some((lock) => lock.table === table && lock.work.includes('index'));
  return statements.flatMap(({ held, locks, rewritten, scanned, indexesBuilt, locksFrom }) => {
    const known: Known = locksFrom === 'statement' ? 'by the manual' : 'seen in a copy';
    const workOn = (table: string) => [
      ...(rewritten.includes(table) ? [workTexts.rewrite] : []),
      ...(scanned.includes(table) ? [workTexts.scan] : []),
      ...(indexesBuilt.length > 0 && isIndexed(table) ? [workTexts.index] : []), // the trace names the index, not its table
    ];
    return [...held, ...locks].map(({ table, mode, index }) => ({ table, mode, index, work: workOn(table), known }));
  });
}

function foreseenLocks(locks: NonNullable<PlannedStep['locks']>): Lock[] {
  return locks.map(({ table, mode, work, doubtful }) => ({
    ...{ table, mode, index: undefined, known: 'foreseen' },
    work: work.map((each) => `${workTexts[each]}${doubtful ? ', as far as is known' : ''}`),
  }));
}

/** What is done to a table, in words that stand alone. */
const workTexts = {
  scan: 'read from end to end',
  rewrite: 'written anew',
  index: 'an index is built',
  rows: 'rows are changed',
} as const;

function joined(known: TableLock | undefined, lock: TableLock): TableLock {
  if (!known) return lock;
  const stronger = isStronger(lock.mode, known.mode) ? lock : known;
  const weaker = stronger === lock ? known : lock;
  return {
    ...stronger,
    work: [...new Set([...known.work, ...lock.work])],
    steps: [...new Set([...stronger.steps, ...weaker.steps])].sort((one, other) => one - other),
  };
}
