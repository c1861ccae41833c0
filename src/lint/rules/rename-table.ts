import { identifier } from '../../sql.js';
import { movedRelation } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { nameWords } from '../words.js';

export const renameTable = defineRule({
  id: 'rename-table',
  on: ['rename'],
  spares: 'born',
  find(action, at) {
    const { to } = action;
    const relation = movedRelation(action, at);
    if (relation === undefined) return undefined;
    return {
      table: relation,
      message: `${nameWords(relation)} becomes ${identifier(to)}: code that still uses the old name fails`,
      remedy: `Leave a view with the old name in the same migration, until no release uses it: \`${at.statement.sql}; create view ${nameWords(relation)} as select * from ${nameWords({ ...relation, name: to })};\``,
    };
  },
});
