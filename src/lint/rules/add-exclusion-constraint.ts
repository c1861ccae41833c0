import { defineRule } from '../rule.js';
import { workWords } from '../words.js';

export const addExclusionConstraint = defineRule({
  id: 'add-exclusion-constraint',
  on: ['add-constraint'],
  spares: 'small',
  find({ constraint }, { effects: [effect] }) {
    if (constraint.kind !== 'exclusion' || effect === undefined) return undefined;
    return {
      table: effect.relation,
      message: workWords('add exclude', 'index', effect),
      remedy:
        'PostgreSQL cannot build it concurrently: create a table that has the constraint, copy the rows in batches and swap the names, or opt out with the hour at which the table may wait as the reason.',
    };
  },
});
