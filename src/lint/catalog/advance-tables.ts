import type { ActionOf } from '../actions/index.js';
import { addColumn } from './advance-columns.js';
import { addConstraint } from './advance-constraints.js';
import type { Catalog } from './catalog.js';
import type { QualifiedName } from './facts.js';
import { emptyRelation, type Relation } from './relation.js';

export function createTable(action: ActionOf<'create-table'>, catalog: Catalog): void {
  const { table, columns, constraints, partition, partitionedBy, temporary, ifNotExists } = action;
  const name = { schema: temporary ? 'pg_temp' : catalog.schemaOf(table), name: table.name };
  const existing = catalog.find(name);
  if (existing && existing.state !== 'unknown' && ifNotExists) return;
  if (existing) catalog.remove(existing);
  const relation = catalog.add({
    ...emptyRelation(name, 'born'),
    ...(partitionedBy && {
      kind: 'p',
      partitionedBy: { ...partitionedBy, columns: partitionedBy.columns.map((column) => column ?? null) },
    }),
  });
  if (partition) attach({ relation, parent: catalog.relation(partition.of), isDefault: partition.isDefault }, catalog);
  for (const column of columns) addColumn(relation, column, catalog);
  for (const constraint of constraints) addConstraint(relation, constraint, catalog);
}

interface Attached {
  readonly relation: Relation;
  readonly parent: Relation;
  readonly isDefault: boolean;
}

export function attach({ relation, parent, isDefault }: Attached, catalog: Catalog): void {
  catalog.change(relation, { parent, isDefaultPartition: isDefault });
  catalog.change(parent, { partitions: [...parent.partitions, relation] });
}

export function detach(relation: Relation, parent: Relation, catalog: Catalog): void {
  catalog.change(relation, { parent: null, isDefaultPartition: false });
  const isOther = ({ schema, name }: QualifiedName) => schema !== relation.schema || name !== relation.name;
  catalog.change(parent, { partitions: parent.partitions.filter(isOther) });
}

export function move(relation: Relation, { schema, name }: QualifiedName, catalog: Catalog): void {
  catalog.remove(relation);
  catalog.add(Object.assign(relation, { schema, name }));
}
