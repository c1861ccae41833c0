import { identifier } from '../../sql.js';
import { movedRelation } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { nameWords } from '../words.js';

export const setSchema = defineRule({
  id: 'set-schema',
  on: ['set-schema'],
  spares: 'born',
  find(action, at) {
    const { to } = action;
    const relation = movedRelation(action, at);
    if (relation === undefined) return undefined;
    const [before, after] = [nameWords(relation), nameWords({ schema: to, name: relation.name })];
    return {
      table: relation,
      message: `${before} moves to the schema ${identifier(to)}: code that still looks for it in ${identifier(relation.schema)} fails`,
      remedy: `Leave a view in its place in the same migration, until no release uses it: \`${at.statement.sql}; create view ${before} as select * from ${after};\``,
    };
  },
});
