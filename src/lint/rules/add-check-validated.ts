import { addedConstraints, notValidWords } from '../added.js';
import { defineRule } from '../rule.js';
import { workWords } from '../words.js';

export const addCheckValidated = defineRule({
  id: 'add-check-validated',
  on: ['add-constraint', 'add-column'],
  spares: 'small',
  find(action, at) {
    const relation = at.catalog.relation(action.table);
    return addedConstraints(action, at, 'check')
      .filter(({ constraint }) => constraint.validated)
      .map((added) => ({
        table: relation,
        message: workWords('add check', 'scan', { relation, mode: 'ACCESS EXCLUSIVE' }),
        remedy: (write) => notValidWords(added, relation, write),
      }));
  },
});
