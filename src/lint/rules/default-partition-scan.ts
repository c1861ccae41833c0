import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { nameWords, tableWords, waitWords } from '../words.js';
import { conditionOf } from './attach-partition-scan.js';

export const defaultPartitionScan = defineRule({
  id: 'default-partition-scan',
  on: ['create-table', 'attach-partition'],
  spares: 'small',
  find(action, { catalog, effects }) {
    const effect = effects.find(({ relation, work }) => relation.isDefaultPartition && work === 'scan');
    const { of, bound } = action.kind === 'create-table' ? (action.partition ?? {}) : { of: action.table, bound: action.bound };
    if (effect === undefined || of === undefined || bound === undefined) return undefined;
    const { relation, mode, doubtful } = effect;
    const doubt = doubtful ? ' (unless the server sees by a CHECK in which the lint sees no proof that it has none)' : '';
    return {
      table: relation,
      message: `a new partition of ${nameWords(catalog.relation(of))} reads all of the default partition ${tableWords(relation)} under ${mode}, for rows that belong into the new one${doubt}: ${waitWords(mode)} until the scan ends`,
      remedy: (write) => {
        const condition = conditionOf(bound, catalog.relation(of), write);
        const name = identifier(`${relation.name}_without`);
        const check = condition === undefined ? '...' : `not (${condition.sql})`;
        return [
          'Let a validated CHECK say that it has none, one step a migration:',
          `\`alter table ${nameWords(relation)} add constraint ${name} check (${check}) not valid;\``,
          `\`alter table ${nameWords(relation)} validate constraint ${name};\``,
          'then make the partition.',
        ].join(' ');
      },
    };
  },
});
