import { withoutLeadingComments } from '../sql.js';
import type { Answer } from '../session/index.js';

/**
 * A migration began or ended the transaction, which is not its own to end. `sentence` says how (knex writes into `message`);
 * `leftBehind`: part of what the migration did is in the database, without a history row.
 */
export class TransactionBroken extends Error {
  constructor(
    readonly sentence: string,
    readonly leftBehind: boolean,
  ) {
    super(sentence);
  }
}

// savepoint, release and rollback to are the migration's own affair.
const transactionControl =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i;
const rollbackToSavepoint = /\brollback\s+(?:work\s+|transaction\s+)?to\b/gi;

/** The word by which a statement begins or ends a transaction, in lower case. Comments may stand before it. */
export function transactionControlOf(text: string): string | undefined {
  return transactionControl.exec(withoutLeadingComments(text))?.[1]?.toLowerCase();
}

/** A statement that would begin or end the transaction, and was not sent. */
export function refusedControl(text: string): TransactionBroken {
  return new TransactionBroken(`the migration sent \`${shown(text)}\`: its transaction is ensure-migrated's to begin and to end`, false);
}

/**
 * What tags and status say after a message in a transaction that must still be the same one; undefined when it is. `failed`: the tags are
 * those of the statements before the one that the server refused, and what is not committed was taken back.
 */
export function brokenBy(
  { tags, status }: Pick<Answer, 'tags' | 'status'>,
  text: string,
  how: 'answered' | 'failed',
): TransactionBroken | undefined {
  const committed = tags.some((tag) => tag === 'COMMIT' || tag === 'PREPARE TRANSACTION');
  const began = tags.some((tag) => tag === 'BEGIN' || tag === 'START TRANSACTION');
  // The tag of ROLLBACK TO SAVEPOINT is the same one: more of them than savepoints in the text means that the transaction was ended.
  const rolledBack = tags.filter((tag) => tag === 'ROLLBACK').length > (text.match(rollbackToSavepoint)?.length ?? 0);
  if (status !== 'I' && !committed && !began && !rolledBack) return undefined;
  const verb = committed ? 'committed' : rolledBack || status === 'I' ? 'rolled back' : 'began';
  // After a ROLLBACK in the middle of a message the rest of it commits by itself.
  const leftBehind = committed || (how === 'answered' && status === 'I' && tags.at(-1) !== 'ROLLBACK');
  const effect = leftBehind ? 'part of it is in the database, and not recorded in the history' : 'nothing of it is in the database';
  return new TransactionBroken(`the migration ${verb} a transaction by itself in \`${shown(text)}\`: ${effect}`, leftBehind);
}

function shown(text: string): string {
  return text.trim().slice(0, 200);
}

/** For what is asked for when nothing may be sent any more. */
export function late(): Error {
  return new Error('the migration has ended; this query came after it (was a promise not awaited?)');
}
