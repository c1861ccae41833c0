import { defineRule } from '../rule.js';
import { tableWords, unusedWords } from '../words.js';

export const dropTable = defineRule({
  id: 'drop-table',
  on: ['drop'],
  spares: 'born',
  find({ object, name }, { catalog }) {
    if (object !== 'table') return undefined;
    const relation = catalog.relation(name);
    return {
      table: relation,
      message: `drop table destroys ${tableWords(relation)} with its rows, and code that still uses it fails`,
      remedy: `First release code that does not use it; then drop it in a later migration, and ${unusedWords('drop-table')}.`,
    };
  },
});
