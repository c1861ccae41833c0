import type { Action } from '../actions/index.js';
import { constraintLetters, type Relation } from '../catalog/index.js';
import { impliesNotNull } from '../effects/index.js';
import { defineRule } from '../rule.js';
import { nameWords } from '../words.js';

export const dropConstraint = defineRule({
  id: 'drop-constraint',
  on: ['drop-constraint'],
  spares: 'born',
  find(action, { catalog, step }) {
    const relation = catalog.relation(action.table);
    const constraint = relation.constraints.find(({ name }) => name === action.name);
    if (relation.state === 'old' && (constraint === undefined || isImplied(relation, constraint))) return undefined;
    if (step.actions.some((each) => isSuccessor(each, action.table.name, constraint?.kind))) return undefined;
    const what = constraint?.definition ? ` (${constraint.definition})` : '';
    return {
      table: relation,
      message: `the constraint ${action.name} of ${nameWords(relation)}${what} is gone: what it refused is written from now on, and code that relied on it finds it`,
      remedy:
        'If another one takes its place, add that in the same migration, NOT VALID, and validate it in the next; else release code that does without it first.',
    };
  },
});

function isSuccessor(action: Action, table: string, kind: string | undefined): boolean {
  return (
    action.kind === 'add-constraint' &&
    action.table.name === table &&
    (kind === undefined || constraintLetters[action.constraint.kind] === kind)
  );
}

// check (note is not null) says nothing more once the column is NOT NULL: so ends the safe way to get there.
function isImplied({ columns }: Relation, { expression }: Relation['constraints'][number]): boolean {
  if (expression === undefined || !('NullTest' in expression)) return false;
  return columns.some(({ name, notNull }) => notNull && impliesNotNull(expression, name));
}
