import { changed } from '../change.js';
import { defineRule } from '../rule.js';
import { outsideWords, tableWords, waitWords } from '../words.js';

export const reindexBlocking = defineRule({
  id: 'reindex-blocking',
  on: ['reindex'],
  spares: 'small',
  find({ object, concurrently }, { effects: [effect], statement, step }) {
    if (concurrently) return undefined;
    const [relation, table] = effect ? [effect.relation, tableWords(effect.relation)] : [undefined, `each table of the ${object}`];
    return {
      ...(relation && { table: relation }),
      // The documentation of REINDEX: the planner locks every index of a table that it plans for.
      message: `reindex locks ${table} in SHARE mode and ${object === 'index' ? 'the index' : 'its indexes'} in ACCESS EXCLUSIVE: ${waitWords('SHARE')} until the build ends, and so does nearly every read`,
      remedy: (write) => {
        const safe = changed({ ...statement, write }, 'ReindexStmt', ({ params = [], ...body }) => ({
          ...body,
          params: [...params, { DefElem: { defname: 'concurrently', defaction: 'DEFELEM_UNSPEC' as const } }],
        }));
        return `Write \`${safe}\`, and ${outsideWords(step)}.`;
      },
    };
  },
});
