import { isTableOrView, type ActionOf, type Name } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import type { TableEffect } from './work.js';

/** DROP of a table, a view, an index, or of what hangs on a table (a trigger, a policy, a rule). */
export function drop(action: ActionOf<'drop'>, catalog: Catalog): TableEffect[] {
  const { object, table } = action;
  if (table !== undefined) return dropped([catalog.relation(table)]);
  if (object === 'index') return dropIndex(action, catalog);
  return isTableOrView(object) ? dropTable(action, catalog) : [];
}

function dropIndex({ name, concurrently }: ActionOf<'drop'>, catalog: Catalog): TableEffect[] {
  const owner = ownerOf(name, catalog);
  const mode = concurrently ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE';
  return [...(owner ? [owner] : []), catalog.relation(name)].map((relation) => ({ relation, mode }));
}

/** The table of an index; undefined where it is not known. */
export function ownerOf(index: Name, catalog: Catalog): Relation | undefined {
  const { table } = catalog.relation(index);
  return table ? catalog.relation(table) : catalog.tableOfIndex(index);
}

function dropTable({ name, cascade }: ActionOf<'drop'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(name);
  const parent = relation.parent ? [catalog.relation(relation.parent)] : [];
  const dependent = cascade ? relation.referencedBy.map((each) => catalog.relation(each)) : [];
  return dropped([relation, ...parent, ...referencedBy(relation, () => true, catalog), ...dependent]);
}

export function dropColumn({ table, column }: ActionOf<'drop-column'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(table);
  return dropped([relation, ...referencedBy(relation, ({ columns }) => columns.includes(column), catalog)]);
}

export function dropConstraint({ table, name }: ActionOf<'drop-constraint'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(table);
  return dropped([relation, ...referencedBy(relation, (each) => each.name === name, catalog)]);
}

// A foreign key leaves triggers on both of its tables.
function referencedBy(
  { constraints }: Relation,
  isMeant: (constraint: Relation['constraints'][number]) => boolean,
  catalog: Catalog,
): Relation[] {
  return constraints.filter(isMeant).flatMap(({ references }) => (references ? [catalog.relation(references)] : []));
}

function dropped(relations: readonly Relation[]): TableEffect[] {
  return relations.map((relation) => ({ relation, mode: 'ACCESS EXCLUSIVE' }));
}
