import type { Node } from 'libpg-query';
import type { ActionOf } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { proveWithin, proveWithout } from './partition-bound.js';
import { scanUnless, type TableEffect } from './work.js';

export function attachPartition({ table, partition, bound, isDefault }: ActionOf<'attach-partition'>, catalog: Catalog): TableEffect[] {
  const [parent, relation] = [catalog.relation(table), catalog.relation(partition)];
  return [
    { relation, mode: 'ACCESS EXCLUSIVE', ...scanUnless(proveWithin(relation, parent, bound), relation) },
    { relation: parent, mode: 'SHARE UPDATE EXCLUSIVE' },
    ...(isDefault ? [] : besideDefault(parent, bound, catalog)),
  ];
}

export function detachPartition({ table, partition, concurrently }: ActionOf<'detach-partition'>, catalog: Catalog): TableEffect[] {
  const [parent, detached] = [catalog.relation(table), catalog.relation(partition)];
  const mode = 'ACCESS EXCLUSIVE';
  if (concurrently)
    return [
      { relation: parent, mode: 'SHARE UPDATE EXCLUSIVE' },
      { relation: detached, mode },
    ];
  const others = defaultPartitionsOf(parent, catalog).filter((relation) => relation !== detached);
  return [parent, detached, ...others].map((relation) => ({ relation, mode }));
}

/** CREATE TABLE .. PARTITION OF. */
export function createPartition(
  { of, bound, isDefault }: NonNullable<ActionOf<'create-table'>['partition']>,
  catalog: Catalog,
): TableEffect[] {
  const parent = catalog.relation(of);
  return [{ relation: parent, mode: 'ACCESS EXCLUSIVE' }, ...(isDefault ? [] : besideDefault(parent, bound, catalog))];
}

// The default partition must have none of the rows of the new one.
function besideDefault(parent: Relation, bound: Node, catalog: Catalog): TableEffect[] {
  return defaultPartitionsOf(parent, catalog).map((relation) => ({
    relation,
    mode: 'ACCESS EXCLUSIVE',
    ...scanUnless(proveWithout(relation, parent, bound), relation),
  }));
}

function defaultPartitionsOf(parent: Relation, catalog: Catalog): Relation[] {
  return parent.partitions.map((each) => catalog.relation(each)).filter(({ isDefaultPartition }) => isDefaultPartition);
}
