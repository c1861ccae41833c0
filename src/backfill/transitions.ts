import { MigrationError } from '../errors.js';
import type { BackfillControl, BackfillStatus } from './state.js';

export type Action = BackfillControl['action'];

/** Where a backfill goes. `same`: it is there, or further, already. `open`: to where it was when it stopped. */
export type Move = 'paused' | 'open' | 'passed' | 'cancelled' | 'same';

/** What may be done in which status; what is not here makes no sense. Asked twice, each is the same as asked once. */
const moves: Readonly<Record<Action, Readonly<Partial<Record<BackfillStatus, Move>>>>> = {
  pause: { queued: 'paused', running: 'paused', passed: 'paused', paused: 'same' },
  resume: { paused: 'open', queued: 'same', running: 'same', passed: 'same', done: 'same' },
  retry: { failed: 'open', unverified: 'passed', queued: 'same', running: 'same', passed: 'same', done: 'same' },
  cancel: {
    queued: 'cancelled',
    running: 'cancelled',
    passed: 'cancelled',
    paused: 'cancelled',
    failed: 'cancelled',
    unverified: 'cancelled',
    cancelled: 'same',
  },
};

const remedies: Readonly<Partial<Record<BackfillStatus, (name: string) => string>>> = {
  paused: (name) => `Resume it: ensure-migrated backfill resume ${name}.`,
  failed: (name) => `Mend what stopped it, then try again: ensure-migrated backfill retry ${name}.`,
  unverified: (name) => `Mend what its query \`verify\` finds, then ask again: ensure-migrated backfill retry ${name}.`,
  done: () => 'Leave it: nothing of it is left to do.',
  cancelled: () => 'Enqueue another in a new migration: this one is never worked on again.',
};

/** Where an action leads from a status; undefined where it makes no sense. Pure. */
export function moveOf(action: Action, status: BackfillStatus): Move | undefined {
  return moves[action][status];
}

/** The error for an action that makes no sense: EM_BACKFILL_REFUSED. */
export function noMove(action: Action, name: string, status: BackfillStatus): MigrationError {
  const remedy = `${remedies[status]?.(name) ?? ''} Nothing was changed.`.trim();
  return new MigrationError('EM_BACKFILL_REFUSED', `the backfill "${name}" is ${status}: ${action} makes no sense`, { remedy });
}

/** The status of a backfill whose ranges have these: but for those that go on, all of them have the same. Pure. */
export function statusOf(ranges: readonly BackfillStatus[]): BackfillStatus | undefined {
  const open: readonly BackfillStatus[] = ['running', 'queued'];
  return open.find((status) => ranges.includes(status)) ?? ranges[0];
}
