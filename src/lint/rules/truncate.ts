import { defineRule } from '../rule.js';
import { nameWords, tableWords, unusedWords, waitWords } from '../words.js';

export const truncate = defineRule({
  id: 'truncate',
  on: ['truncate'],
  spares: 'born',
  find({ table }, { catalog }) {
    const relation = catalog.relation(table);
    if (relation.state === 'old' && relation.rows === 0) return undefined;
    return {
      table: relation,
      message: `truncate destroys all rows of ${tableWords(relation)} under ACCESS EXCLUSIVE: ${waitWords('ACCESS EXCLUSIVE')} until the migration ends`,
      remedy: `Delete what nobody needs any more, in batches and outside of a transaction: \`delete from ${nameWords(relation)} where <it is old enough>;\` If it is to be empty, ${unusedWords('truncate')}.`,
    };
  },
});
