import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { nameWords, tableWords, unusedWords } from '../words.js';

export const dropColumn = defineRule({
  id: 'drop-column',
  on: ['drop-column'],
  spares: 'born',
  find({ table, column: name }, { catalog }) {
    const relation = catalog.relation(table);
    const column = relation.columns.find((each) => each.name === name);
    if (column?.born || (relation.state === 'old' && column === undefined)) return undefined; // if exists
    const isRequired = column !== undefined && column.notNull && !column.hasDefault && !column.identity;
    const nullable = `alter table ${nameWords(relation)} alter column ${identifier(name)} drop not null;`;
    return {
      table: relation,
      message: `drop column destroys ${identifier(name)} of ${tableWords(relation)} with its values, and code that still uses it fails`,
      remedy: [
        isRequired
          ? `First let code leave it out: \`${nullable}\` Then release code that does not use it;`
          : 'First release code that does not use it;',
        `then drop it in a later migration, and ${unusedWords('drop-column')}.`,
      ].join(' '),
    };
  },
});
