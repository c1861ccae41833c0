import { isLeftInPlace, isNewView, viewInPlace } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { columnsWords, nameWords, unusedWords } from '../words.js';

export const dropView = defineRule({
  id: 'drop-view',
  on: ['drop'],
  spares: 'born',
  find(action, at) {
    const { object, name } = action;
    if (object !== 'view' && object !== 'materialized-view') return undefined;
    const relation = at.catalog.relation(name);
    if (isNewView(name, relation, at.catalog) || isLeftInPlace(action, relation, at)) return undefined;
    const made = viewInPlace(action, relation, at);
    if (made) {
      const lost = relation.columns.map((column) => column.name).filter((column) => !made.columns?.includes(column));
      return {
        table: relation,
        message: `${nameWords(relation)} is made anew without ${columnsWords(lost)}: code that still reads that fails`,
        remedy: `Keep the column until no release reads it, or ${unusedWords('drop-view')}.`,
      };
    }
    return {
      table: relation,
      message: `${object === 'view' ? 'drop view' : 'drop materialized view'} takes ${nameWords(relation)} away: code that still reads it fails`,
      remedy: `First release code that does not use it; then drop it in a later migration, and ${unusedWords('drop-view')}. To change it, make it anew in the same migration.`,
    };
  },
});
