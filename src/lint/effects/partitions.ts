import type { Action } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { isKnownNotNull } from './implied.js';
import type { TableEffect } from './work.js';

const reaching: ReadonlySet<Action['kind']> = new Set([
  'add-column',
  'drop-column',
  'set-not-null',
  'drop-not-null',
  'set-default',
  'drop-default',
  'set-expression',
  'drop-expression',
  'add-identity',
  'alter-type',
  'add-constraint',
  'validate-constraint',
  'drop-constraint',
  'alter-constraint',
  'rewrite-table',
  'truncate',
  'lock',
  'reindex',
]);

const reachingCommands = new Set(['AT_SetStatistics', 'AT_SetStorage', 'AT_SetCompression']);

/** What a statement on a partitioned table does to its partitions, which is where its rows are. */
export function onPartitions(action: Action, effects: readonly TableEffect[], catalog: Catalog): TableEffect[] {
  if (!reaches(action)) return [];
  const isParent = ({ schema, name }: Relation) =>
    effects.some(({ relation: { parent } }) => parent?.schema === schema && parent.name === name);
  const reached = effects.filter(({ relation }) => !isParent(relation)); // of a partition that is dropped: the others stay as they are
  return reached.flatMap((effect) =>
    partitionsOf(effect.relation, catalog).map((relation) => ({
      ...effect,
      relation,
      mode: sharesIndexes(action, effect.relation, catalog) ? 'SHARE' : effect.mode,
      through: effect.relation,
    })),
  );
}

function reaches(action: Action): boolean {
  if (action.kind === 'create-index') return !action.index.only;
  if (action.kind === 'create-trigger') return action.each === 'row';
  if (action.kind === 'drop') return action.object === 'table' || action.object === 'index' || action.object === 'trigger';
  if (action.kind === 'rename') return action.object === 'column';
  return action.kind === 'alter-table' ? reachingCommands.has(action.subtype) : reaching.has(action.kind);
}

function partitionsOf({ partitions }: Relation, catalog: Catalog): Relation[] {
  return partitions.map((each) => catalog.relation(each)).flatMap((each) => [each, ...partitionsOf(each, catalog)]);
}

// Before 18 a key locks the partitions as CREATE INDEX does, unless it has to make their columns NOT NULL.
function sharesIndexes(action: Action, relation: Relation, { serverVersion = 180000 }: Catalog): boolean {
  if (serverVersion >= 180000 || action.kind !== 'add-constraint') return false;
  const { kind, columns } = action.constraint;
  return kind === 'unique' || (kind === 'primary-key' && columns.every((each) => isKnownNotNull(relation, each)));
}
