import { identifier } from '../../sql.js';
import { isNewView } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { columnWords, nameWords } from '../words.js';

export const renameColumn = defineRule({
  id: 'rename-column',
  on: ['rename'],
  spares: 'born',
  find({ object, name, part = '', to }, { catalog }) {
    if (object !== 'column') return undefined;
    const relation = catalog.relation(name);
    const column = relation.columns.find((each) => each.name === part);
    if (column?.born || isNewView(name, relation, catalog)) return undefined;
    const type = column?.type ?? '<its type>';
    return {
      table: relation,
      message: `${columnWords(relation, part)} becomes ${identifier(to)}: code that still uses the old name fails`,
      remedy: [
        `Add the new column beside the old one: \`alter table ${nameWords(relation)} add column ${identifier(to)} ${type};\``,
        'Write both, fill the rows that are there in batches, read the new one, and drop the old one when no release uses it.',
      ].join(' '),
    };
  },
});
