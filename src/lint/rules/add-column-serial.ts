import { numberedColumn } from '../numbered-column.js';
import { defineRule } from '../rule.js';

export const addColumnSerial = defineRule({
  id: 'add-column-serial',
  on: ['add-column'],
  spares: 'small',
  find: ({ column }, { effects: [effect] }) => (column.serial && effect?.work ? numberedColumn('serial', column, effect) : undefined),
});
