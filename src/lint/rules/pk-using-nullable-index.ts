import { isKnownNotNull } from '../effects/index.js';
import { defineRule } from '../rule.js';
import { notNullSteps } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const pkUsingNullableIndex = defineRule({
  id: 'pk-using-nullable-index',
  on: ['add-constraint'],
  spares: 'small',
  find({ constraint: { kind, usingIndex } }, { effects: [effect] }) {
    if (kind !== 'primary-key' || usingIndex === undefined || effect?.work !== 'scan') return undefined;
    const { relation, doubtful } = effect;
    const covered = relation.indexes.find(({ name }) => name === usingIndex)?.columns ?? [];
    const nullable = covered.filter((each) => each !== null).filter((each) => !isKnownNotNull(relation, each));
    return {
      table: relation,
      message: workWords('primary key using index, whose columns may be null,', 'scan', effect),
      remedy: (write) =>
        nullable.length === 0
          ? 'Make its columns NOT NULL first, as set-not-null-scan says.'
          : stepsWords(
              'Make its columns NOT NULL first, one step a migration',
              nullable.flatMap((each) => notNullSteps(relation, each, write)),
            ),
      unless: doubtful && 'its columns are NOT NULL already',
    };
  },
});
