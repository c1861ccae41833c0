import { isOn } from '../lifetime.js';
import { defineRule } from '../rule.js';
import { nameWords, tableWords } from '../words.js';

export const rlsWithoutPolicy = defineRule({
  id: 'rls-without-policy',
  on: ['row-security'],
  spares: 'none',
  find({ how, table }, { catalog, step }) {
    const relation = catalog.relation(table);
    if (how !== 'enable' || relation.policies > 0) return undefined;
    if (step.actions.some((each) => each.kind === 'create-policy' && isOn(each.table, relation, catalog))) return undefined;
    return {
      table: relation,
      message: `row level security without a policy hides ${tableWords(relation)}: every role but its owner reads no row of it, and can write none`,
      remedy: `Make the policy in the same migration: \`create policy <name> on ${nameWords(relation)} using (<who sees a row>);\``,
      unless: 'it has a policy already',
    };
  },
});
