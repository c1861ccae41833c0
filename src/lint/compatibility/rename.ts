import { writtenName, type ActionOf } from '../actions/index.js';
import { isLeftInPlace, isNewView } from '../lifetime.js';
import type { Judging } from '../rule.js';
import type { Reason } from './breaks.js';
import { isNewColumn, isUnknownToOldCode, nameOf } from './known.js';

const relations: ReadonlySet<string> = new Set(['table', 'view', 'materialized-view', 'sequence']);

// Statements of old code do not name these, but for `on conflict on constraint`.
const unnamed: ReadonlySet<string> = new Set(['index', 'constraint', 'trigger', 'policy', 'extension']);

export const rename: Reason<'rename'> = (action, at) => {
  const { object, name, part = '', to } = action;
  if (unnamed.has(object)) return undefined;
  if (object === 'column') return renameColumn(action, at);
  if (relations.has(object)) return isStillFound(action, at) ? undefined : `renames ${object} ${nameOf(at.catalog.relation(name))}`;
  if (object === 'enum-value')
    return at.catalog.isBorn('type', name) ? undefined : `renames the value ${part} of ${writtenName(name)} to ${to}`;
  if (isBorn(action, at)) return undefined;
  return `renames ${object === 'other' ? '' : `${object} `}${writtenName(name)}`;
};

function renameColumn({ name, part = '' }: ActionOf<'rename'>, { catalog }: Judging): string | undefined {
  const relation = catalog.relation(name);
  if (isUnknownToOldCode(relation) || isNewColumn(relation, part)) return undefined;
  return `renames column ${nameOf(relation)}.${part}`;
}

function isStillFound(action: ActionOf<'rename' | 'set-schema'>, at: Judging): boolean {
  const relation = at.catalog.relation(action.name);
  return isUnknownToOldCode(relation) || isNewView(action.name, relation, at.catalog) || isLeftInPlace(action, relation, at);
}

function isBorn({ object, name }: ActionOf<'rename' | 'set-schema'>, { catalog }: Judging): boolean {
  if (object === 'schema' || object === 'type' || object === 'function') return catalog.isBorn(object, name);
  return false;
}

export const setSchema: Reason<'set-schema'> = (action, at) => {
  const { object, name, to } = action;
  if (relations.has(object)) {
    return isStillFound(action, at) ? undefined : `moves ${object} ${nameOf(at.catalog.relation(name))} to schema ${to}`;
  }
  return isBorn(action, at) ? undefined : `moves ${object === 'other' ? '' : `${object} `}${writtenName(name)} to schema ${to}`;
};
