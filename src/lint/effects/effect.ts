import type { LockMode } from '../../lock-mode.js';
import type { Action, ActionOf, Name } from '../actions/index.js';
import type { Catalog } from '../catalog/index.js';
import { constraintEffects, provenNotNull, validate } from './constraint-effects.js';
import { drop, dropColumn, dropConstraint, ownerOf } from './drop-effects.js';
import { addColumn } from './new-column.js';
import { attachPartition, createPartition, detachPartition } from './partition-effects.js';
import { onPartitions } from './partitions.js';
import { typeChangeOf } from './type-change.js';
import { scanUnless, type TableEffect, type Work } from './work.js';

/** The kinds of actions that lock a table that is there. */
export const lockingKinds = (): Action['kind'][] => Object.keys(readers) as Action['kind'][];

/**
 * The locks that an action takes on relations, each with the work that is done while it is held. What PostgreSQL 14 to 18 do, as a trace shows
 * it (test/lint/effects.test.ts); the table that an action is about comes first, and the work on its partitions counts as its own, too. Left out is
 * SHARE UPDATE EXCLUSIVE for an instant (COMMENT, CREATE STATISTICS, the parent of INHERIT). Pure.
 */
export function effectsOf(action: Action, catalog: Catalog): readonly TableEffect[] {
  const reader = (readers as Readonly<Record<string, ((action: never, catalog: Catalog) => readonly TableEffect[]) | undefined>>)[
    action.kind
  ];
  const effects = reader?.(action as never, catalog) ?? [];
  return [...effects, ...onPartitions(action, effects, catalog)];
}

type Readers = { readonly [Kind in Action['kind']]?: (action: ActionOf<Kind>, catalog: Catalog) => readonly TableEffect[] };

const on = (mode: LockMode, work?: Work) => (action: { table: Name }, catalog: Catalog) => [
  { relation: catalog.relation(action.table), mode, work },
];
const exclusive = on('ACCESS EXCLUSIVE');

const readers: Readers = {
  'create-table': createTable,
  'add-column': addColumn,
  'drop-column': dropColumn,
  'set-not-null': ({ table, column }, catalog) => {
    const relation = catalog.relation(table);
    return [{ relation, mode: 'ACCESS EXCLUSIVE', ...scanUnless(provenNotNull([column], relation), relation) }];
  },
  'drop-not-null': exclusive,
  'set-default': exclusive,
  'drop-default': exclusive,
  'set-expression': ({ table, column }, catalog) => {
    const relation = catalog.relation(table);
    const isVirtual = relation.columns.some(({ name, generated }) => name === column && generated === 'v');
    return [
      {
        relation,
        mode: 'ACCESS EXCLUSIVE',
        work: isVirtual ? undefined : 'rewrite',
        doubtful: relation.state === 'unknown' ? true : undefined,
      },
    ];
  },
  'drop-expression': exclusive,
  'add-identity': exclusive,
  'drop-identity': exclusive,
  'alter-type': (action, catalog) => {
    const relation = catalog.relation(action.table);
    const change = typeChangeOf(action, relation, catalog);
    if (change === 'unknown') return [{ relation, mode: 'ACCESS EXCLUSIVE', work: 'rewrite', doubtful: true }];
    return [{ relation, mode: 'ACCESS EXCLUSIVE', work: change === 'none' ? undefined : change }];
  },
  'add-constraint': ({ table, constraint }, catalog) => constraintEffects({ constraint, relation: catalog.relation(table) }, catalog),
  'validate-constraint': validate,
  'drop-constraint': dropConstraint,
  'alter-constraint': ({ table, enforced }, catalog) => [
    { relation: catalog.relation(table), mode: 'ACCESS EXCLUSIVE', work: enforced === true ? 'scan' : undefined },
  ],
  'attach-partition': attachPartition,
  'detach-partition': detachPartition,
  'rewrite-table': ({ table, how }, catalog) => {
    const relation = catalog.relation(table);
    const isSo = relation.state === 'old' && how === (relation.persistence === 'u' ? 'set-unlogged' : 'set-logged');
    return [{ relation, mode: 'ACCESS EXCLUSIVE', work: isSo ? undefined : 'rewrite' }];
  },
  'row-security': exclusive,
  'create-policy': exclusive,
  'create-trigger': on('SHARE ROW EXCLUSIVE'),
  'alter-table': ({ table, subtype }, catalog) => [{ relation: catalog.relation(table), mode: otherModes[subtype] ?? 'ACCESS EXCLUSIVE' }],
  'create-index': ({ table, index }, catalog) => {
    const mode = index.concurrently ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE';
    const relation = catalog.relation(table);
    const isThere = index.ifNotExists && relation.indexes.some(({ name }) => name === index.name);
    return [{ relation, mode, work: isThere || (index.only && relation.kind === 'p') ? undefined : 'index' }];
  },
  truncate: ({ table, cascade }, catalog) => {
    const relation = catalog.relation(table);
    const others = cascade
      ? relation.referencedBy.map((each) => ({ relation: catalog.relation(each), mode: 'ACCESS EXCLUSIVE' as const }))
      : [];
    return [{ relation, mode: 'ACCESS EXCLUSIVE' }, ...others];
  },
  lock: ({ table, mode }, catalog) => [{ relation: catalog.relation(table), mode }],
  insert: ({ table, rows, reads }, catalog) => [
    { relation: catalog.relation(table), mode: 'ROW EXCLUSIVE', work: rows === 'query' ? 'rows' : undefined },
    ...reads.map((each) => ({ relation: catalog.relation(each), mode: 'ACCESS SHARE' as const, work: 'scan' as const })),
  ],
  merge: on('ROW EXCLUSIVE', 'rows'),
  copy: on('ROW EXCLUSIVE', 'rows'),
  update: changeRows,
  delete: changeRows,
  drop,
  rename: ({ object, name }, catalog) => {
    if (object === 'index') return [{ relation: catalog.relation(name), mode: 'SHARE UPDATE EXCLUSIVE' }];
    return lockable.has(object) ? [{ relation: catalog.relation(name), mode: 'ACCESS EXCLUSIVE' }] : [];
  },
  'set-schema': ({ object, name }, catalog) =>
    lockable.has(object) ? [{ relation: catalog.relation(name), mode: 'ACCESS EXCLUSIVE' }] : [],
  reindex,
  refresh: ({ view, concurrently, withData }, catalog) => [
    concurrently
      ? { relation: catalog.relation(view), mode: 'EXCLUSIVE', work: 'scan' }
      : { relation: catalog.relation(view), mode: 'ACCESS EXCLUSIVE', work: withData ? 'rewrite' : undefined },
  ],
  'alter-domain': ({ domain, how, validated }, catalog) => {
    const isScanned = (how === 'add-constraint' && validated) || how === 'set-not-null' || how === 'validate';
    if (!isScanned) return [];
    return (catalog.typeOf(domain)?.usedBy ?? []).map((each) => ({ relation: catalog.relation(each), mode: 'SHARE', work: 'scan' }));
  },
};

const lockable: ReadonlySet<string> = new Set(['table', 'view', 'materialized-view', 'column', 'constraint', 'trigger', 'policy']);

// The documentation of ALTER TABLE, and AlterTableGetLockLevel; all that is not named takes ACCESS EXCLUSIVE.
const otherModes: Readonly<Record<string, LockMode>> = {
  AT_SetStatistics: 'SHARE UPDATE EXCLUSIVE',
  AT_SetOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_ResetOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_SetRelOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_ResetRelOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_ClusterOn: 'SHARE UPDATE EXCLUSIVE',
  AT_DropCluster: 'SHARE UPDATE EXCLUSIVE',
  AT_EnableTrig: 'SHARE ROW EXCLUSIVE',
  AT_EnableAlwaysTrig: 'SHARE ROW EXCLUSIVE',
  AT_EnableReplicaTrig: 'SHARE ROW EXCLUSIVE',
  AT_EnableTrigAll: 'SHARE ROW EXCLUSIVE',
  AT_EnableTrigUser: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrig: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrigAll: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrigUser: 'SHARE ROW EXCLUSIVE',
};

// Rows that their key picks out are few.
function changeRows({ table, pins }: ActionOf<'update' | 'delete'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(table);
  const keys = relation.indexes.filter(({ unique, partial, valid }) => unique && valid && !partial);
  const isFew = keys.some(({ columns }) => columns.every((column) => column !== null && pins.includes(column)));
  return [{ relation, mode: 'ROW EXCLUSIVE', work: isFew ? undefined : 'rows' }];
}

function reindex({ object, name, concurrently }: ActionOf<'reindex'>, catalog: Catalog): TableEffect[] {
  if (object === 'schema' || object === 'database') return [];
  const relation = (object === 'index' ? ownerOf(name, catalog) : undefined) ?? catalog.relation(name);
  return [{ relation, mode: concurrently ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE', work: 'index' }];
}

function createTable(
  { table, partition, like, fromQuery, columns, constraints, ifNotExists }: ActionOf<'create-table'>,
  catalog: Catalog,
): TableEffect[] {
  if (ifNotExists && catalog.relation(table).state === 'old') return [];
  const referenced = [...constraints, ...columns.flatMap((column) => column.constraints)].flatMap(
    ({ references }) => references?.table ?? [],
  );
  return [
    ...(partition ? createPartition(partition, catalog) : []),
    ...referenced.map((each) => ({ relation: catalog.relation(each), mode: 'SHARE ROW EXCLUSIVE' as const })),
    ...like.map((each) => ({
      relation: catalog.relation(each),
      mode: 'ACCESS SHARE' as const,
      work: fromQuery ? ('scan' as const) : undefined,
    })),
  ];
}
