import type { ActionOf } from '../actions/index.js';
import { addedConstraints, notValidWords } from '../added.js';
import type { Relation } from '../catalog/index.js';
import { defineRule, type Harm, type Judging } from '../rule.js';
import { tableWords, workWords } from '../words.js';

export const addFkValidated = defineRule({
  id: 'add-fk-validated',
  on: ['add-constraint', 'add-column', 'alter-constraint'],
  spares: 'small',
  find: (action, at) => (action.kind === 'alter-constraint' ? enforced(action, at) : added(action, at)),
});

function added(action: ActionOf<'add-constraint' | 'add-column'>, at: Judging): Harm[] {
  const relation = at.catalog.relation(action.table);
  return addedConstraints(action, at, 'foreign-key').flatMap((each): Harm[] => {
    const { column, constraint } = each;
    const { validated, references } = constraint;
    if (!validated || references === undefined || (column && column.default === undefined)) return [];
    const target = at.catalog.relation(references.table);
    return [
      {
        table: relation.state === 'born' && isFilled(relation, at) ? target : relation,
        message: `add foreign key reads all of ${tableWords(relation)} and looks each row up in ${tableWords(target)} under SHARE ROW EXCLUSIVE on both: every write to either waits until the scan ends`,
        remedy: (write) => notValidWords(each, relation, write),
      },
    ];
  });
}

// A new table is nobody's yet, but its rows are looked up in one that is in use.
function isFilled({ schema, name }: Relation, { before, catalog }: Judging): boolean {
  const filled = [
    ...before.of('create-table').filter(({ fromQuery }) => fromQuery),
    ...before.of('insert').filter(({ rows }) => rows === 'query'),
    ...before.of('copy'),
  ].map(({ table }) => catalog.relation(table));
  return filled.some((each) => each.schema === schema && each.name === name);
}

// PostgreSQL 18: what was NOT ENFORCED has never been looked at.
function enforced({ name }: ActionOf<'alter-constraint'>, { effects: [effect] }: Judging): Harm | undefined {
  if (effect?.work !== 'scan') return undefined;
  return {
    table: effect.relation,
    message: workWords(`alter constraint ${name} enforced`, 'scan', effect),
    remedy: 'Drop it, add it again ENFORCED but NOT VALID, and validate it in a migration of its own.',
  };
}
