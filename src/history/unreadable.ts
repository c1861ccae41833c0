import { messageOf, MigrationError, sqlStateOf } from '../errors.js';
import type { Reading } from './hindered.js';

// 21: several owner rows; 22, XX: contents that no run of ours has written; 23514: a check that is not ours; 42: another shape. 0A: no table at all.
const otherShape = /^(0A|21|22|23514|42|XX)/;
const denied = '42501';
const lockTimedOut = '55P03';

/** What comes of statements that are about our own tables alone; throws as {@link asUnreadable} says. */
export async function aboutHistory<T>(reading: Reading, sent: Promise<T>): Promise<T> {
  try {
    return await sent;
  } catch (error) {
    throw await asUnreadable(reading, error);
  }
}

/**
 * What the server said of a statement about our own tables, as an error that tells what to do: EM_BLOCKED with whoever has locked them, EM_HISTORY_INVALID where they
 * are not as knex and ensure-migrated make them; anything else as it is. Takes the transaction back where one has failed.
 */
export async function asUnreadable({ session, tables }: Reading, error: unknown): Promise<unknown> {
  const thrown = session.lostOr(error);
  const state = sqlStateOf(thrown) ?? '';
  if (state === lockTimedOut) return await (await import('./hindered.js')).blockedBy({ session, tables }, thrown);
  if (state === denied || !otherShape.test(state)) return thrown;
  const what = `the tables of the history (${tables.history} and those beside it): ${messageOf(thrown)}`;
  return new MigrationError('EM_HISTORY_INVALID', what, { cause: thrown });
}
