import { everyTable, type ActionOf } from '../actions/index.js';
import { defineRule } from '../rule.js';
import { tableWords, waitWords } from '../words.js';

type How = ActionOf<'rewrite-table'>['how'];

export const tableRewrite = defineRule({
  id: 'table-rewrite',
  on: ['rewrite-table'],
  spares: 'small',
  find({ table, how }, { catalog, effects: [effect] }) {
    if (effect === undefined) return undefined;
    const relation = catalog.tableOfIndex(table) ?? effect.relation;
    const isEvery = table === everyTable;
    return {
      ...(!isEvery && { table: relation }),
      message: `${commands[how]} writes all of ${isEvery ? 'each table' : tableWords(relation)} anew under ${effect.mode}: ${waitWords(effect.mode)} until it is done`,
      remedy: remedies[how],
    };
  },
});

const commands: Readonly<Record<How, string>> = {
  'vacuum-full': 'vacuum full',
  cluster: 'cluster',
  'set-logged': 'set logged',
  'set-unlogged': 'set unlogged',
  'set-access-method': 'set access method',
  'set-tablespace': 'set tablespace',
};

const otherTable = 'Make a new table that is so from the start, fill it in batches, and swap the names in a migration of its own.';
const repacked = 'the extension pg_repack does the same, outside of migrations, while the table is in use.';

const remedies: Readonly<Record<How, string>> = {
  'vacuum-full': `Leave it out: a plain \`vacuum\` blocks nobody, and ${repacked}`,
  cluster: `Leave it out: ${repacked}`,
  'set-logged': otherTable,
  'set-unlogged': otherTable,
  'set-access-method': otherTable,
  'set-tablespace': `Leave it out: pg_repack moves a table (\`--tablespace\`) while it is in use.`,
};
