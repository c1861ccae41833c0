import { literal } from '../../sql.js';
import { defineRule } from '../rule.js';
import { typeWords } from '../words.js';

export const renameEnumValue = defineRule({
  id: 'rename-enum-value',
  on: ['rename'],
  spares: 'born',
  find({ object, name, part = '', to }, { catalog }) {
    if (object !== 'enum-value' || catalog.isBorn('type', name)) return undefined;
    return {
      message: `the value ${literal(part)} of ${typeWords(name)} becomes ${literal(to)}: code that still writes the old one fails, and reads one that it does not know`,
      remedy: `Add the new value beside the old one: \`alter type ${typeWords(name)} add value ${literal(to)};\` Write it once every release can read it, change the rows that are there in batches, and leave the old one.`,
    };
  },
});
