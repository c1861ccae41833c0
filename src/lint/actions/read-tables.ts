import type { CreateStmt, CreateTableAsStmt, PartitionSpec, RangeVar } from 'libpg-query';
import { lockModes } from '../../lock-mode.js';
import { isOn } from '../../statement-options.js';
import type { Action, PartitionKey } from './action.js';
import { readAlterTable } from './alter-table.js';
import { readColumn, readConstraint, readIndex } from './column.js';
import { everyTable, nameOf, relationsIn, stringsOf, tableOf, tablesIn } from './names.js';
import { outputsOf } from './outputs.js';
import type { Readers } from './readers.js';

/** Tables and views, and what hangs on them. */
export const tableReaders: Readers = {
  AlterTableStmt: (body) => {
    const actions = isTable(body.objtype) ? readAlterTable(body) : [];
    // ALTER INDEX .. ATTACH PARTITION only tells of what is there.
    if (actions.length > 0 && !(body.objtype === 'OBJECT_INDEX' && actions[0]?.kind === 'attach-partition')) return actions;
    return [{ kind: 'other', statement: body.objtype === 'OBJECT_TYPE' ? 'AlterTypeStmt' : 'AlterTableStmt' }];
  },
  CreateStmt: readCreateTable,
  CreateTableAsStmt: readCreateTableAs,
  IndexStmt: (body) => [{ kind: 'create-index', table: tableOf(body.relation), index: readIndex(body) }],
  LockStmt: ({ relations, mode = 8 }) =>
    tablesIn(relations).map((each) => ({ kind: 'lock', table: each, mode: lockModes[mode - 1] ?? 'ACCESS EXCLUSIVE' })),
  VacuumStmt: ({ options = [], rels = [], is_vacuumcmd = false }) => {
    const isFull = isOn(options, 'full');
    if (!isFull) return [{ kind: 'other', statement: is_vacuumcmd ? 'VacuumStmt' : 'AnalyzeStmt' }];
    const named = rels.flatMap((each) => ('VacuumRelation' in each ? [tableOf(each.VacuumRelation.relation)] : []));
    return (named.length > 0 ? named : [everyTable]).map((each) => ({ kind: 'rewrite-table', table: each, how: 'vacuum-full' }));
  },
  ClusterStmt: ({ relation }) => [{ kind: 'rewrite-table', table: relation ? tableOf(relation) : everyTable, how: 'cluster' }],
  ReindexStmt: ({ kind, relation, name, params = [] }) => {
    const object = reindexed[kind ?? ''] ?? 'database';
    const concurrently = isOn(params, 'concurrently');
    return [{ kind: 'reindex', object, name: relation ? tableOf(relation) : { name: name ?? '' }, concurrently }];
  },
  ViewStmt: ({ view, replace = false, query, aliases }) => [
    {
      kind: 'create-view',
      view: tableOf(view),
      replace,
      materialized: false,
      reads: relationsIn(query),
      columns: outputsOf(query, stringsOf(aliases)),
    },
  ],
  RefreshMatViewStmt: ({ relation, concurrent = false, skipData = false }) => [
    { kind: 'refresh', view: tableOf(relation), concurrently: concurrent, withData: !skipData },
  ],
  CreatePolicyStmt: (body) => [
    { kind: 'create-policy', table: tableOf(body.table), name: body.policy_name ?? '', restrictive: body.permissive !== true },
  ],
  AlterPolicyStmt: (body) => [{ kind: 'alter-table', table: tableOf(body.table), subtype: 'AlterPolicyStmt' }],
  RuleStmt: ({ relation }) => [{ kind: 'alter-table', table: tableOf(relation), subtype: 'RuleStmt' }],
  CreateTrigStmt: ({ relation, trigname = '', row = false, funcname, timing = 0 }) => [
    {
      kind: 'create-trigger',
      table: tableOf(relation),
      name: trigname,
      each: row ? 'row' : 'statement',
      calls: nameOf(stringsOf(funcname)),
      when: triggerTimes[timing] ?? 'after',
    },
  ],
};

function isTable(type: string | undefined): boolean {
  return type === 'OBJECT_TABLE' || type === 'OBJECT_FOREIGN_TABLE' || type === 'OBJECT_INDEX' || type === 'OBJECT_MATVIEW';
}

function readCreateTable({
  relation,
  tableElts = [],
  inhRelations = [],
  partbound,
  partspec,
  if_not_exists = false,
  constraints = [],
}: CreateStmt): Action[] {
  const columns = tableElts.flatMap((each) => ('ColumnDef' in each ? [readColumn(each.ColumnDef)] : []));
  const declared = [...tableElts, ...constraints].flatMap((each) => ('Constraint' in each ? (readConstraint(each.Constraint) ?? []) : []));
  const like = tableElts.flatMap((each) => ('TableLikeClause' in each ? [tableOf(each.TableLikeClause.relation)] : []));
  const parents = tablesIn(inhRelations);
  const [parent] = parents;
  return [
    {
      kind: 'create-table',
      table: tableOf(relation),
      columns,
      constraints: declared,
      like: partbound ? like : [...like, ...parents],
      fromQuery: false,
      ifNotExists: if_not_exists,
      temporary: relation?.relpersistence === 't',
      ...(partbound &&
        parent && { partition: { of: parent, isDefault: partbound.is_default === true, bound: { PartitionBoundSpec: partbound } } }),
      ...(partspec && { partitionedBy: readPartitionKey(partspec) }),
    },
  ];
}

const strategies = { PARTITION_STRATEGY_RANGE: 'r', PARTITION_STRATEGY_LIST: 'l', PARTITION_STRATEGY_HASH: 'h' } as const;

function readPartitionKey({ strategy = 'PARTITION_STRATEGY_RANGE', partParams = [] }: PartitionSpec): PartitionKey {
  return {
    strategy: strategies[strategy],
    columns: partParams.map((each) => ('PartitionElem' in each ? each.PartitionElem.name : undefined)),
  };
}

function readCreateTableAs({ into, query, objtype }: CreateTableAsStmt): Action[] {
  const rel = into?.rel ?? {};
  if (objtype !== 'OBJECT_MATVIEW') return [createdFromQuery(rel, query)];
  const columns = outputsOf(query, stringsOf(into?.colNames));
  return [{ kind: 'create-view', view: tableOf(rel), replace: false, materialized: true, reads: relationsIn(query), columns }];
}

/** CREATE TABLE AS, and SELECT INTO. */
export function createdFromQuery(rel: RangeVar, query: unknown): Action {
  const created = { columns: [], constraints: [], fromQuery: true, ifNotExists: false, temporary: rel.relpersistence === 't' };
  return { kind: 'create-table', table: tableOf(rel), like: relationsIn(query), ...created };
}

const reindexed = {
  REINDEX_OBJECT_TABLE: 'table',
  REINDEX_OBJECT_INDEX: 'index',
  REINDEX_OBJECT_SCHEMA: 'schema',
} as Readonly<Record<string, 'table' | 'index' | 'schema'>>;

// TRIGGER_TYPE_BEFORE and TRIGGER_TYPE_INSTEAD of pg_trigger.h.
const triggerTimes = { 2: 'before', 64: 'instead' } as Readonly<Record<number, 'before' | 'instead'>>;
