import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';

export const renameSchema = defineRule({
  id: 'rename-schema',
  on: ['rename'],
  spares: 'born',
  find({ object, name, to }, { catalog }) {
    if (object !== 'schema' || catalog.isBorn('schema', name)) return undefined;
    const [before, after] = [identifier(name.name), identifier(to)];
    return {
      message: `schema ${before} becomes ${after}: code that still uses the old name fails`,
      remedy: `Leave views with the old names in the same migration, until no release uses them: \`alter schema ${before} rename to ${after}; create schema ${before};\` and for each table in it \`create view ${before}.<table> as select * from ${after}.<table>;\``,
    };
  },
});
