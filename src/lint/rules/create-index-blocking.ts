import { changed } from '../change.js';
import { defineRule } from '../rule.js';
import { outsideWords, tableWords, waitWords } from '../words.js';

export const createIndexBlocking = defineRule({
  id: 'create-index-blocking',
  on: ['create-index'],
  spares: 'small',
  find({ index }, { effects: [effect], statement, step }) {
    // A partitioned table has words of its own: concurrently-on-partitioned. Nobody writes to a materialized view.
    if (index.concurrently || effect?.work === undefined || ['p', 'm'].includes(effect.relation.kind)) return undefined;
    return {
      table: effect.relation,
      message: `create index locks ${tableWords(effect.relation)} in SHARE mode: ${waitWords('SHARE')} until the build ends`,
      remedy: (write) => {
        const safe = changed({ ...statement, write }, 'IndexStmt', (body) => ({ ...body, concurrent: true }));
        return `Write \`${safe}\`, and ${outsideWords(step)}.`;
      },
    };
  },
});
