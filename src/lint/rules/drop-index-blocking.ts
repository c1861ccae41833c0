import type { Node } from 'libpg-query';
import type { Name } from '../actions/index.js';
import { changed } from '../change.js';
import { defineRule } from '../rule.js';
import { nameWords, outsideWords, tableWords, waitWords } from '../words.js';

export const dropIndexBlocking = defineRule({
  id: 'drop-index-blocking',
  on: ['drop'],
  spares: 'small',
  find({ object, name, concurrently }, { effects: [effect], catalog, statement, step }) {
    if (object !== 'index' || concurrently || effect === undefined) return undefined;
    const { relation, mode } = effect;
    const index = catalog.relation(name);
    const table = relation === index ? 'its table' : tableWords(relation);
    return {
      table: relation,
      message: `drop index ${nameWords(index)} locks ${table} in ${mode} mode: ${waitWords(mode)} until the transaction ends`,
      remedy: (write) => {
        if (index.kind === 'I')
          return 'An index of a partitioned table cannot be dropped concurrently: leave it alone in a migration of its own.';
        const safe = changed({ ...statement, write }, 'DropStmt', ({ objects = [], ...body }) => ({
          ...body,
          objects: objects.filter((each) => isNamed(each, name)), // concurrently takes one at a time
          behavior: 'DROP_RESTRICT' as const,
          concurrent: true,
        }));
        return `Write \`${safe}\`, and ${outsideWords(step)}.`;
      },
    };
  },
});

function isNamed(object: Node, { schema, name }: Name): boolean {
  const parts = 'List' in object ? (object.List.items ?? []).map((each) => ('String' in each ? each.String.sval : undefined)) : [];
  return parts.at(-1) === name && parts.at(-2) === schema;
}
