import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { addColumnWithout, notNullSteps } from '../safe-steps.js';
import { stepsWords, tableWords } from '../words.js';

export const addColumnNotNullNoDefault = defineRule({
  id: 'add-column-not-null-no-default',
  on: ['add-column'],
  spares: 'born',
  find({ column }, { effects: [effect] }) {
    const isFilled = column.default !== undefined || column.serial || column.identity || column.generated !== undefined;
    if (!column.notNull || isFilled || effect?.work === undefined) return undefined;
    const { relation } = effect;
    if (relation.state === 'old' && relation.rows === 0) return undefined;
    return {
      table: relation,
      message: `the new column ${identifier(column.name)} is NOT NULL and has no default: it fails with 23502 on the rows of ${tableWords(relation)}`,
      remedy: (write) =>
        stepsWords(
          'Give it a constant default, which writes no row, or add it without NOT NULL, fill it in batches, and make it NOT NULL, one step a migration',
          [write(addColumnWithout(relation, column, ['CONSTR_NOTNULL', 'CONSTR_PRIMARY'])), ...notNullSteps(relation, column.name, write)],
        ),
    };
  },
});
