import type { Action } from '../actions/index.js';
import { lockingKinds, type TableEffect } from '../effects/index.js';
import { isStronger } from '../../lock-mode.js';
import { readInFull } from '../reads.js';
import { defineRule, type Judging } from '../rule.js';
import { isLarge } from '../surroundings.js';
import { commandWords, doingWords, nameWords, tableWords, waitWords } from '../words.js';

export const workWhileLocked = defineRule({
  id: 'work-while-locked',
  on: [...lockingKinds(), 'query', 'create-view'],
  spares: 'small',
  find(action, at) {
    const effect = [...at.effects, ...readInFull(action, at)].find(({ relation, work }) => work !== undefined && isLarge(relation, at));
    if (effect?.work === undefined) return undefined;
    const held = at.before.heldAbove('SHARE UPDATE EXCLUSIVE').find((each) => isUsed(each) && !isSaidBy(action, effect, each));
    if (held === undefined) return undefined;
    const { relation, work } = effect;
    const locked = held.relation === relation ? 'it' : tableWords(held.relation);
    return {
      table: relation,
      message: `${commandWords(at.statement.sql)} ${doingWords(work, relation)} while the transaction still holds ${held.mode} on ${locked}: ${waitWords(held.mode, nameWords(held.relation))} until it ends`,
      remedy: 'Move it into a migration of its own: the lock is kept until the transaction ends.',
    };
  },
});

// Also a small table: it may be the one that every request reads. Nobody writes to a materialized view.
function isUsed({ relation: { state, rows, kind }, mode }: TableEffect): boolean {
  if (kind === 'm' && mode !== 'ACCESS EXCLUSIVE') return false;
  return state === 'unknown' || (state === 'old' && rows > 0);
}

// The rule of the statement itself says that its table is locked meanwhile.
function isSaidBy({ kind }: Action, { relation, mode }: Judging['effects'][number], held: TableEffect): boolean {
  return held.relation === relation && (!isStronger(held.mode, mode) || kind === 'validate-constraint');
}
