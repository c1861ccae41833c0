/** Changes of many rows, in batches, each row exactly once. The only door of this room. */
import type { Knex } from 'knex';
import type { Session } from '../session/index.js';
import type { Backfill } from './definition.js';
import type { BackfillProgress } from './progress.js';
import type { Round } from './background.js';
import type { Crew } from './worker.js';

export type { Backfill, Batch, Row } from './definition.js';
export { readAside, type RowAside } from './aside.js';
export type { Control } from './control.js';
export { definitionsIn } from './definitions.js';
export { pause } from './pause.js';
export { isOpen, readProgress, type BackfillProgress } from './progress.js';
export type { BackfillControl, BackfillError, BackfillStatus } from './state.js';
export { chosenOf } from './names.js';
export { describeProgress, isUnfinished, readChanged, readUnfinished, shortOf } from './unfinished.js';
export type { Round } from './background.js';

/**
 * Enqueues a backfill in the transaction of the migration that calls it: one that the migration exports under this name, or one that is given here and
 * has no code. Asks the server whether it would take its SQL, writes one row, changes none of the table. Makes the tables of backfills where they are
 * missing. Throws EM_BACKFILL_INVALID and EM_BACKFILL_REFUSED, which take the migration back.
 */
export async function enqueue(knex: Knex, name: string, definition?: Backfill): Promise<void> {
  await (await import('./enqueue.js')).enqueue(knex, name, definition);
}

/** See run.ts. */
export async function workToTheEnd(...args: Parameters<typeof import('./run.js').workToTheEnd>): Promise<readonly BackfillProgress[]> {
  return await (await import('./run.js')).workToTheEnd(...args);
}

/** See control.ts. */
export async function control(...args: Parameters<typeof import('./control.js').control>): Promise<readonly BackfillProgress[]> {
  return await (await import('./control.js')).control(...args);
}

/** See wait.ts. */
export async function waitForDone(...args: Parameters<typeof import('./wait.js').waitForDone>): Promise<readonly BackfillProgress[]> {
  return await (await import('./wait.js')).waitForDone(...args);
}

/** See background.ts. */
export async function backgroundWork(crew: Crew): Promise<(session: Session) => Promise<void>> {
  return (await import('./background.js')).backgroundWork(crew);
}

/** See background.ts. */
export async function backgroundRound(crew: Crew): Promise<(session: Session) => Promise<Round>> {
  return (await import('./background.js')).backgroundRound(crew);
}
