import type { ActionOf, ColumnDefinition, Constraint } from './actions/index.js';
import type { Catalog, Relation } from './catalog/index.js';

export interface ForeignKey {
  readonly table: Relation;
  readonly columns: readonly string[];
  readonly target: Relation;
  /** As they are written: none for the primary key. */
  readonly keys: readonly string[];
}

/** A foreign key that an action adds, with what the action itself says of its table. */
export interface AddedForeignKey extends ForeignKey {
  readonly newColumns: readonly ColumnDefinition[];
  /** Those of the action. */
  readonly constraints: readonly Constraint[];
}

export function addedForeignKeys(action: ActionOf<'add-constraint' | 'add-column' | 'create-table'>, catalog: Catalog): AddedForeignKey[] {
  const table = catalog.relation(action.table);
  const newColumns = action.kind === 'create-table' ? action.columns : action.kind === 'add-column' ? [action.column] : [];
  if ('ifNotExists' in action && action.ifNotExists && isThere(action, table)) return [];
  const apart = action.kind === 'create-table' ? action.constraints : action.kind === 'add-constraint' ? [action.constraint] : [];
  const constraints = [...newColumns.flatMap((column) => column.constraints), ...apart];
  return constraints.flatMap(({ columns, references }) => {
    if (references === undefined) return [];
    return [{ table, columns, target: catalog.relation(references.table), keys: references.columns, newColumns, constraints }];
  });
}

function isThere(action: ActionOf<'add-column' | 'create-table'>, { state, columns }: Relation): boolean {
  if (action.kind === 'create-table') return state === 'old' || state === 'born';
  return columns.some(({ name }) => name === action.column.name);
}

/** The columns that a foreign key references; empty where they are not known. */
export function keyColumns(written: readonly string[], { constraints }: Relation): readonly string[] {
  return written.length > 0 ? written : (constraints.find(({ kind }) => kind === 'p')?.columns ?? []);
}
