import { isStronger } from '../../lock-mode.js';
import { isSame } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { tableWords, waitWords } from '../words.js';

export const validateSameTx = defineRule({
  id: 'validate-same-tx',
  on: ['validate-constraint'],
  spares: 'small',
  find({ name }, { effects: [effect], before }) {
    if (effect?.work !== 'scan') return undefined;
    const [held] = [...before.strongest].flatMap(([relation, mode]) =>
      isSame(relation, effect.relation) && isStronger(mode, 'SHARE') ? [mode] : [],
    );
    if (held === undefined) return undefined;
    return {
      table: effect.relation,
      message: `validate constraint ${name} reads all of ${tableWords(effect.relation)} while the transaction still holds ${held}: ${waitWords(held)} until it ends`,
      remedy: 'Validate it in a migration of its own: there it only takes SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes.',
    };
  },
});
