import type { Relation } from '../catalog/index.js';
import { defineRule, type Harm } from '../rule.js';
import { nameWords, tableWords, waitWords } from '../words.js';

export const refreshMatviewBlocking = defineRule({
  id: 'refresh-matview-blocking',
  on: ['refresh'],
  spares: 'small',
  find({ view, concurrently, withData }, { catalog }) {
    const relation = catalog.relation(view);
    if (concurrently) return isKeyless(relation) ? withoutKey(relation) : undefined;
    if (catalog.isBorn('view', view)) return undefined;
    const mode = 'ACCESS EXCLUSIVE';
    if (!withData)
      return {
        table: relation,
        message: `refresh with no data empties ${tableWords(relation)}: every read of it fails until it is refreshed`,
        remedy: 'Leave it out, or drop the view once nothing reads it.',
      };
    return {
      table: relation,
      message: `refresh materialized view locks ${tableWords(relation)} in ${mode} mode: ${waitWords(mode)} until its query has run`,
      remedy: `${hasKey(relation) ? '' : `Give it a unique index over columns alone, concurrently. `}Write \`refresh materialized view concurrently ${nameWords(relation)}\`.`,
    };
  },
});

function isKeyless(relation: Relation): boolean {
  return relation.state === 'old' && relation.kind === 'm' && !hasKey(relation);
}

function withoutKey(relation: Relation): Harm {
  return {
    message: `refresh materialized view concurrently fails with 55000: ${nameWords(relation)} has no unique index over columns alone, without WHERE`,
    remedy: 'Give it one first, concurrently, in a migration with transaction: false.',
  };
}

/** What REFRESH CONCURRENTLY needs: a unique index over columns alone, without WHERE. */
function hasKey({ indexes }: Relation): boolean {
  return indexes.some(({ unique, partial, valid, columns }) => unique && !partial && valid && !columns.includes(null));
}
