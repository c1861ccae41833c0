import { numberedColumn } from '../numbered-column.js';
import { defineRule } from '../rule.js';

export const addColumnIdentity = defineRule({
  id: 'add-column-identity',
  on: ['add-column'],
  spares: 'small',
  find: ({ column }, { effects: [effect] }) => (column.identity && effect?.work ? numberedColumn('identity', column, effect) : undefined),
});
