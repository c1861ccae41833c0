import { defineRule } from '../rule.js';
import { nameWords, outsideWords } from '../words.js';

export const invalidIndexLeftBehind = defineRule({
  id: 'invalid-index-left-behind',
  on: ['create-index'],
  spares: 'none',
  find({ table, index }, { catalog, step }) {
    const { schema, state, kind, indexes } = catalog.relation(table);
    // The index of a partitioned table is invalid until each partition has its own.
    if (!index.ifNotExists || index.name === undefined || state === 'born' || kind === 'p') return undefined;
    const name = nameWords({ schema, name: index.name });
    const there = indexes.find((each) => each.name === index.name) ?? catalog.relation({ schema, name: index.name });
    if (state === 'unknown' ? !index.concurrently : there.valid !== false) return undefined;
    return {
      message: `create index if not exists does nothing: ${name} is there, and invalid, as a build that has failed leaves it; no query uses it, and every write pays for it`,
      remedy: `Write \`drop index concurrently if exists ${name}\` in front of it, and ${outsideWords(step)}.`,
      unless: 'no invalid index of that name is there',
    };
  },
});
