import type { Action, IndexDefinition } from '../actions/index.js';
import type { IndexFacts } from '../catalog/index.js';
import { defineRule, type JudgedStep } from '../rule.js';
import { nameWords } from '../words.js';

export const duplicateIndex = defineRule({
  id: 'duplicate-index',
  on: ['create-index'],
  spares: 'none',
  find({ table, index }, { catalog, step }) {
    const relation = catalog.relation(table);
    if (!index.plain || index.partial || relation.indexes.some(({ name }) => name === index.name)) return undefined;
    const other = relation.indexes.find((each) => covers(each, index) && !isDropped(each, step));
    if (other === undefined) return undefined;
    return {
      message: `the index on (${index.columns.join(', ')}) of ${nameWords(relation)} serves nothing that ${nameWords(other)} on (${other.columns.join(', ')}) does not: every write pays for both`,
      remedy: `Leave it out, or drop ${nameWords(other)} in the same migration.`,
    };
  },
});

/** Whether it finds, and keeps unique, all that the other would. */
function covers({ valid, partial, plain, method, unique, columns }: IndexFacts, index: IndexDefinition): boolean {
  if (!valid || partial || !plain || method !== index.method) return false;
  const isSame = columns.length === index.columns.length;
  if (index.unique ? !(unique && isSame) : !isSame && method !== 'btree') return false;
  return index.columns.every((column, position) => column === columns[position]);
}

// A new index that takes the place of an old one.
function isDropped({ name }: IndexFacts, { actions }: JudgedStep): boolean {
  return actions.some((action: Action) => action.kind === 'drop' && action.object === 'index' && action.name.name === name);
}
