import type { ActionOf, ColumnDefinition, Constraint } from './actions/index.js';
import type { QualifiedName } from './catalog/index.js';
import type { Judging, Write } from './rule.js';
import { addColumnWithout, notValidSteps } from './safe-steps.js';
import { stepsWords } from './words.js';

/** A constraint that an action adds, on its own or beside a new column. */
export interface AddedConstraint {
  readonly constraint: Constraint;
  readonly column?: ColumnDefinition;
}

/** What is added to a table that is there; nothing where IF NOT EXISTS passes over it. */
export function addedConstraints(
  action: ActionOf<'add-constraint' | 'add-column'>,
  { effects: [effect] }: Judging,
  kind: Constraint['kind'],
): AddedConstraint[] {
  if (action.kind === 'add-constraint') return [{ constraint: action.constraint }].filter(({ constraint }) => constraint.kind === kind);
  if (effect?.work === undefined) return [];
  return action.column.constraints.filter((each) => each.kind === kind).map((constraint) => ({ constraint, column: action.column }));
}

/** Adds the new column without the constraint that is declared beside it; nothing to do where that stands on its own. */
export function columnSteps({ constraint, column }: AddedConstraint, table: QualifiedName, write: Write): string[] {
  return column ? [write(addColumnWithout(table, column, [constraint.node.contype ?? '']))] : [];
}

/** The way for a CHECK, and for a foreign key. */
export function notValidWords(added: AddedConstraint, table: QualifiedName, write: Write): string {
  return stepsWords('Add it NOT VALID, which new rows have to fit all the same, and validate it in a migration of its own', [
    ...columnSteps(added, table, write),
    ...notValidSteps(table, added.constraint, write),
  ]);
}
