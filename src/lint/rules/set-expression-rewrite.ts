import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { workWords } from '../words.js';

export const setExpressionRewrite = defineRule({
  id: 'set-expression-rewrite',
  on: ['set-expression'],
  spares: 'small',
  find({ column }, { effects: [effect] }) {
    if (effect?.work !== 'rewrite') return undefined;
    return {
      table: effect.relation,
      message: workWords(`the new expression of ${identifier(column)}`, 'rewrite', effect),
      remedy: `Add a plain column, let a trigger fill it by the new expression, fill the rows that are there in batches, and let the code read it before ${identifier(column)} goes.`,
      unless: effect.doubtful && 'the column is VIRTUAL',
    };
  },
});
