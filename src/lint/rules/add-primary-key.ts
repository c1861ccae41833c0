import { addedConstraints, columnSteps } from '../added.js';
import { isKnownNotNull } from '../effects/index.js';
import { defineRule } from '../rule.js';
import { keySteps, notNullSteps } from '../safe-steps.js';
import { partitionedKeyWords, stepsWords, workWords } from '../words.js';

export const addPrimaryKey = defineRule({
  id: 'add-primary-key',
  on: ['add-constraint', 'add-column'],
  spares: 'small',
  find(action, at) {
    const relation = at.catalog.relation(action.table);
    return addedConstraints(action, at, 'primary-key')
      .filter(({ constraint }) => constraint.usingIndex === undefined)
      .map((added) => ({
        table: relation,
        message: workWords('add primary key', 'index', { relation, mode: 'ACCESS EXCLUSIVE' }),
        remedy: (write) => {
          if (relation.kind === 'p') return partitionedKeyWords;
          const nullable = added.constraint.columns.filter((each) => !isKnownNotNull(relation, each));
          return stepsWords(
            'Make its columns NOT NULL and build its index first, one step a migration, the index with transaction: false',
            [
              ...columnSteps(added, relation, write),
              ...nullable.flatMap((each) => notNullSteps(relation, each, write)),
              ...keySteps(relation, added.constraint, write),
            ],
          );
        },
      }));
  },
});
