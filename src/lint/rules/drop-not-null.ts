import { actionsAfter } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { columnWords } from '../words.js';

export const dropNotNull = defineRule({
  id: 'drop-not-null',
  on: ['drop-not-null'],
  spares: 'born',
  find(action, at) {
    const relation = at.catalog.relation(action.table);
    const column = relation.columns.find(({ name }) => name === action.column);
    if (column?.born || column?.notNull === false) return undefined;
    const isSetAgain = actionsAfter(action, at).some(
      (each) => each.kind === 'set-not-null' && each.table.name === action.table.name && each.column === action.column,
    );
    if (isSetAgain) return undefined; // knex writes both for .notNullable().alter()
    return {
      table: relation,
      message: `${columnWords(relation, action.column)} may be null from now on: code that reads it meets a null where it never had one`,
      remedy: 'Release code that reads a null before code that writes one.',
    };
  },
});
