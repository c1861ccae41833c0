import { defineRule } from '../rule.js';

export const nestedTransaction = defineRule({
  id: 'nested-transaction',
  on: ['transaction'],
  spares: 'none',
  find({ how }, { step, statement }) {
    if (!step.transaction || /^(savepoint|release|rollback-to)$/.test(how)) return undefined;
    if (statement.node && 'DoStmt' in statement.node)
      return {
        message: `${how} in a block of code fails with 2D000: the migration runs in a transaction`,
        remedy: 'Take it out: the block runs with the migration, or not at all.',
      };
    return {
      message: `${how} in a migration that runs in a transaction: what it changes and its row in the history no longer commit together`,
      remedy: 'Take it out: ensure-migrated begins and commits. Savepoints may stay.',
    };
  },
});
