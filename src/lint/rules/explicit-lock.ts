import { blocksWrites } from '../../lock-mode.js';
import { defineRule } from '../rule.js';
import { tableWords, waitWords } from '../words.js';

export const explicitLock = defineRule({
  id: 'explicit-lock',
  on: ['lock'],
  spares: 'small',
  find({ table, mode }, { catalog }) {
    const relation = catalog.relation(table);
    if (!blocksWrites(mode)) return undefined;
    return {
      table: relation,
      message: `lock table locks ${tableWords(relation)} in ${mode} mode: ${waitWords(mode)} until the transaction ends`,
      remedy: 'Leave it out: each statement takes the lock that it needs, and migrations of two processes never run at once.',
    };
  },
});
