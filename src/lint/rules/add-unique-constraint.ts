import { addedConstraints, columnSteps } from '../added.js';
import { defineRule } from '../rule.js';
import { keySteps } from '../safe-steps.js';
import { partitionedKeyWords, stepsWords, workWords } from '../words.js';

export const addUniqueConstraint = defineRule({
  id: 'add-unique-constraint',
  on: ['add-constraint', 'add-column'],
  spares: 'small',
  find(action, at) {
    const relation = at.catalog.relation(action.table);
    return addedConstraints(action, at, 'unique')
      .filter(({ constraint }) => constraint.usingIndex === undefined)
      .map((added) => ({
        table: relation,
        message: workWords('add unique', 'index', { relation, mode: 'ACCESS EXCLUSIVE' }),
        remedy: (write) => {
          if (relation.kind === 'p') return partitionedKeyWords;
          return stepsWords('Build its index first, in a migration with transaction: false', [
            ...columnSteps(added, relation, write),
            ...keySteps(relation, added.constraint, write),
          ]);
        },
      }));
  },
});
