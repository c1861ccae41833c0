import { isStronger, type LockMode } from '../lock-mode.js';
import { identifier } from '../sql.js';
import type { Work } from './effects/index.js';
import type { ForeseenEffect } from './judge.js';
import type { LintedStep } from './lint.js';

/** The strongest lock that a migration is foreseen to take on a table that was there before it, and what it does to the table under its locks. */
export interface ForeseenLock {
  /** With its schema: `public.orders`. Quoted where it must be. */
  readonly table: string;
  readonly mode: LockMode;
  /** Reads it from end to end, writes it anew, builds an index on it, or changes rows of it. */
  readonly work: readonly Work[];
  /** Whether only the server, when it runs, can tell that there is such work. */
  readonly doubtful: boolean;
}

/** What a migration locks, a table once, in the order in which it comes to them. What this run has made is left out: nobody else uses it yet. Pure. */
export function foreseenLocks({ statements }: Pick<LintedStep, 'statements'>): readonly ForeseenLock[] {
  const locks = new Map<string, ForeseenLock>();
  for (const effect of statements.flatMap(({ effects }) => effects)) {
    if (effect.state === 'born') continue;
    const table = nameOf(effect);
    locks.set(table, Object.freeze(joined(locks.get(table), { ...effect, table })));
  }
  return Object.freeze([...locks.values()]);
}

function joined(known: ForeseenLock | undefined, { table, mode, work, doubtful }: ForeseenEffect): ForeseenLock {
  const works = new Set([...(known?.work ?? []), ...(work ? [work] : [])]);
  return {
    table,
    mode: known && !isStronger(mode, known.mode) ? known.mode : mode,
    work: Object.freeze([...works]),
    doubtful: doubtful === true || known?.doubtful === true,
  };
}

function nameOf({ schema, table }: ForeseenEffect): string {
  return [schema, table].map((name) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : identifier(name))).join('.');
}
