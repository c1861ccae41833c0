import { changed } from '../change.js';
import { defineRule, type Statement, type Write } from '../rule.js';

export const sessionStateLeak = defineRule({
  id: 'session-state-leak',
  on: ['set', 'set-role'],
  spares: 'none',
  find(action, { step, statement }) {
    if (action.local || !step.transaction) return undefined; // SET LOCAL does nothing outside of a transaction
    const what = action.kind === 'set-role' ? 'the role' : action.name === 'all' ? 'every setting' : action.name;
    return {
      message: `this changes ${what} for the session, not for the transaction alone: it is put back when the migration ends, and holds for nothing after it`,
      remedy: (write) => remedyOf(statement, write),
    };
  },
});

function remedyOf(statement: Statement, write: Write): string {
  const set = statement.node && 'VariableSetStmt' in statement.node ? statement.node.VariableSetStmt : undefined;
  if (set === undefined) return 'Say that it is for the transaction: `set local`, or `true` as the last argument of set_config().';
  if (set.kind?.startsWith('VAR_RESET')) return 'Leave it out: each migration begins with the settings that are configured.';
  const safe = changed({ ...statement, write }, 'VariableSetStmt', (body) => ({ ...body, is_local: true }));
  return `Write \`${safe}\`; what the application is to have, give to its role: \`alter role ... set ...\`.`;
}
