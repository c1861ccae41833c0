import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { alterTable } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const alterTypeRewrite = defineRule({
  id: 'alter-type-rewrite',
  on: ['alter-type'],
  spares: 'small',
  find({ column, type, using }, { effects: [effect], catalog }) {
    if (effect?.work !== 'rewrite') return undefined;
    const { relation, doubtful } = effect;
    const before = relation.columns.find(({ name }) => name === column)?.type;
    const isZoned = using === undefined && /^timestamp/.test(before ?? '') && /timestamp/.test(JSON.stringify(type));
    const inUtc =
      isZoned && catalog.connected
        ? " If its values are in UTC, `SET LOCAL TimeZone = 'UTC'` before it is enough: then nothing is written."
        : '';
    const copy = { colname: `${column}_new`, typeName: type, is_local: true };
    return {
      table: relation,
      message: workWords(`the new type of ${identifier(column)}`, 'rewrite', effect),
      remedy: (write) =>
        stepsWords(
          `Add a column of that type, let a trigger write both, fill it in batches, and let the code read it before ${identifier(column)} goes`,
          [write(alterTable(relation, { subtype: 'AT_AddColumn', def: { ColumnDef: copy } }))],
        ) + inUtc,
      unless: doubtful && 'the type that is there is stored in the same way (a shorter varchar, say)',
    };
  },
});
