import { defineRule } from '../rule.js';
import { notNullSteps, notValidSteps } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const setNotNullScan = defineRule({
  id: 'set-not-null-scan',
  on: ['set-not-null', 'add-constraint'],
  spares: 'small',
  find(action, { effects: [effect] }) {
    if (effect?.work !== 'scan' || (action.kind === 'add-constraint' && action.constraint.kind !== 'not-null')) return undefined;
    const { relation, doubtful } = effect;
    return {
      table: relation,
      message: workWords('set not null', 'scan', effect),
      remedy: (write) =>
        action.kind === 'add-constraint'
          ? stepsWords('Validate it later, one step a migration', notValidSteps(relation, action.constraint, write))
          : stepsWords('Let a validated CHECK prove it, one step a migration', notNullSteps(relation, action.column, write)),
      unless: doubtful && 'a validated CHECK implies it, or the column is NOT NULL already',
    };
  },
});
