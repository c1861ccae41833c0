import type { Locks, OnRecord, RecordRepair, Repaired, RepairQuestion } from '../commands/index.js';

/** What a repair will do, for the person who is asked. */
export function repairQuestionText({ database, action, migration, change, sent }: RepairQuestion): string {
  const statements = sent.map(({ statement, refused }) => `  ${statement}${refused ? ' (refused by the server)' : ''}`);
  const isUnfinished = action === 'done' || action === 'undone';
  const known = statements.length > 0 ? ['It had sent:', ...statements] : ['The journal has no statement of it that changes anything.'];
  return [
    `In the database "${database}", repair ${[action, migration].filter(Boolean).join(' ')}`,
    ...(isUnfinished ? known : []),
    `This ${change}.`,
    'Go on?',
  ].join('\n');
}

/** What stood there before and stands there now. */
export function repairedText(repaired: Repaired): string {
  if (repaired.action === 'lock') return locksText(repaired.before, repaired.after);
  return 'repairs' in repaired ? repaired.repairs.map(recordRepairText).join('\n') : recordRepairText(repaired);
}

function recordRepairText({ action, migration, before, after }: RecordRepair): string {
  return [`Repaired: ${action} ${migration}`, `  before: ${recordText(before)}`, `  after:  ${recordText(after)}`].join('\n');
}

function recordText({ rows, direction, status, checksum, compatible }: OnRecord): string {
  return [
    rows.length === 0 ? 'not in the history' : `in the history: ${rows.map(({ id }) => `id ${id}`).join(', ')}`,
    status === undefined ? 'not in the journal' : `${direction} ${status}`,
    ...(compatible === undefined ? [] : [compatible ? 'compatible' : 'breaking']),
    ...(checksum === undefined ? [] : [`file ${checksum.slice(0, checksum.indexOf(':') + 9)}`]),
  ].join(', ');
}

function locksText(before: Locks, after: Locks): string {
  if (!before.holder && !before.isLocked) return 'Nothing is locked: nobody holds the migration lock, and the lock row of knex is clear.';
  return [...(before.holder ? [`Ended pid ${before.holder.pid}, which held the migration lock.`] : []), rowText(before, after)].join('\n');
}

function rowText(before: Locks, after: Locks): string {
  if (!before.isLocked) return 'The lock row of knex was clear.';
  if (!after.isLocked) return 'The lock row of knex is clear now.';
  return `The lock row of knex is set: ${after.holder ? `pid ${after.holder.pid} migrates now.` : 'somebody has set it anew.'}`;
}
