import { isStronger } from '../../lock-mode.js';
import { lockingKinds } from '../effects/index.js';
import { defineRule } from '../rule.js';
import { isLarge } from '../surroundings.js';
import { commandWords, tableWords } from '../words.js';

export const multipleTableLocks = defineRule({
  id: 'multiple-table-locks',
  on: lockingKinds(),
  spares: 'small',
  find(_action, at) {
    const wanted = at.effects.filter(({ relation, mode, through }) => !through && isStronger(mode, 'SHARE') && isLarge(relation, at));
    if (wanted.length === 0) return undefined;
    const held = at.before.heldAbove('SHARE').filter(({ relation }) => isLarge(relation, at));
    const taken = wanted.find(({ relation }) => !held.some((each) => each.relation === relation));
    const [first] = held;
    if (first === undefined || taken === undefined) return undefined;
    return {
      table: taken.relation,
      message: `${commandWords(at.statement.sql)} locks ${tableWords(taken.relation)} in ${taken.mode} mode while the transaction still holds ${first.mode} on ${tableWords(first.relation)}: what uses either waits for both, and a session that takes them the other way around deadlocks`,
      remedy: 'Lock one table a migration: move it into a migration of its own.',
    };
  },
});
