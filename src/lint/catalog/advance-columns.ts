import type { ActionOf, ColumnDefinition, Name } from '../actions/index.js';
import { addConstraint } from './advance-constraints.js';
import type { Catalog } from './catalog.js';
import type { Column, Relation } from './relation.js';

const generation = { stored: 's', virtual: 'v' } as const;

export function addColumn(relation: Relation, column: ColumnDefinition, catalog: Catalog): void {
  const { name, type, notNull, default: given, generated, identity, serial, constraints } = column;
  if (relation.columns.some((each) => each.name === name)) return;
  const added: Column = {
    name,
    type: catalog.typeText(type),
    notNull,
    hasDefault: given !== undefined || serial,
    generated: generated === undefined ? '' : generation[generated],
    identity,
    collation: null,
    born: true,
  };
  catalog.change(relation, { columns: [...relation.columns, added] });
  for (const constraint of constraints) addConstraint(relation, constraint, catalog);
}

export function dropColumn({ table, column }: ActionOf<'drop-column'>, catalog: Catalog): void {
  const relation = catalog.relation(table);
  catalog.change(relation, {
    columns: relation.columns.filter(({ name }) => name !== column),
    constraints: relation.constraints.filter(({ columns }) => !columns.includes(column)),
    indexes: relation.indexes.filter(({ columns }) => !columns.includes(column)),
  });
}

export function dropNotNull(action: ActionOf<'drop-not-null'>, catalog: Catalog): void {
  const relation = catalog.relation(action.table);
  const constraints = relation.constraints.filter(({ kind, columns }) => kind !== 'n' || !columns.includes(action.column)); // 18 and later have one
  catalog.change(relation, { constraints });
  changeColumn(action, { notNull: false }, catalog);
}

export function changeColumn({ table, column }: { table: Name; column: string }, changes: Partial<Column>, catalog: Catalog): void {
  const relation = catalog.relation(table);
  catalog.change(relation, { columns: relation.columns.map((each) => (each.name === column ? { ...each, ...changes } : each)) });
}
