import type { ActionOf } from '../actions/index.js';
import type { QualifiedName } from '../catalog/index.js';
import { defineRule, type Write } from '../rule.js';
import { addColumnWithout, notNullSteps, notValidSteps } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const setNotNullScan = defineRule({
  id: 'set-not-null-scan',
  on: ['set-not-null', 'add-constraint', 'add-column'],
  spares: 'small',
  find(action, { effects: [effect] }) {
    if (effect?.work !== 'scan' || !isNotNull(action)) return undefined;
    const { relation, doubtful } = effect;
    return {
      table: relation,
      message: workWords('set not null', 'scan', effect),
      remedy: (write) => stepsWords(...stepsOf(action, relation, write)),
      unless: doubtful && 'a validated CHECK implies it, or the column is NOT NULL already',
    };
  },
});

type Requiring = ActionOf<'set-not-null' | 'add-constraint' | 'add-column'>;

// A new column that is neither virtual nor filled has a rule of its own: it fails.
function isNotNull(action: Requiring): boolean {
  if (action.kind === 'add-column') return action.column.notNull && action.column.generated === 'virtual';
  return action.kind === 'set-not-null' || action.constraint.kind === 'not-null';
}

function stepsOf(action: Requiring, table: QualifiedName, write: Write): [lead: string, statements: string[]] {
  if (action.kind === 'add-constraint') return ['Validate it later, one step a migration', notValidSteps(table, action.constraint, write)];
  const column = action.kind === 'set-not-null' ? action.column : action.column.name;
  const added = action.kind === 'set-not-null' ? [] : [write(addColumnWithout(table, action.column, ['CONSTR_NOTNULL']))];
  return ['Let a validated CHECK prove it, one step a migration', [...added, ...notNullSteps(table, column, write)]];
}
