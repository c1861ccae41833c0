import { writtenName, type ActionOf } from '../actions/index.js';
import { isNewView, viewInPlace } from '../lifetime.js';
import type { Judging } from '../rule.js';
import type { Reason } from './breaks.js';
import { isStillUnique } from './constraints.js';
import { doesTo, isUnknownToOldCode, nameOf } from './known.js';

type Drop = ActionOf<'drop'>;

export const drop: Reason<'drop'> = (action, at) => {
  const { object, name } = action;
  const judged = judges[object];
  return judged ? judged(action, at) : `drops ${object === 'other' ? '' : `${object} `}${writtenName(name)}`;
};

const judges: Readonly<Partial<Record<Drop['object'], (action: Drop, at: Judging) => string | undefined>>> = {
  table: dropRelation,
  sequence: dropRelation,
  view: dropView,
  'materialized-view': dropView,
  index: dropIndex,
  schema: ({ name, cascade }, { catalog }) => {
    const isThere = !catalog.connected || catalog.schemaNamed(name.name) !== undefined;
    // Without CASCADE the server drops an empty one only.
    return cascade && isThere && !catalog.isBorn('schema', name) ? `drops schema ${name.name} with all that is in it` : undefined;
  },
  type: dropType,
  domain: dropType,
  function: ({ name }, { catalog }) => {
    const forms = catalog.functionsNamed(name.name);
    if (catalog.connected && (forms.length === 0 || forms.every(({ result }) => result === 'trigger'))) return undefined; // nobody calls those
    return catalog.isBorn('function', name) ? undefined : `drops function ${writtenName(name)}`;
  },
  trigger: ({ name, table = { name: '' } }, at) => {
    const relation = at.catalog.relation(table);
    const isMade = at.step.actions.some((each) => each.kind === 'create-trigger' && each.name === name.name);
    if (isUnknownToOldCode(relation) || (isMade && doesTo('create-trigger', relation, at))) return undefined;
    return `drops trigger ${name.name} of ${nameOf(relation)}, which completes or refuses what older code writes`;
  },
  policy: ({ name, table = { name: '' } }, { catalog }) => {
    const relation = catalog.relation(table);
    if (isUnknownToOldCode(relation) || (relation.state === 'old' && !relation.rowSecurity)) return undefined;
    return `drops policy ${name.name} of ${nameOf(relation)}, which shows older code its rows`;
  },
};

function dropRelation({ object, name }: Drop, { catalog }: Judging): string | undefined {
  const relation = catalog.relation(name);
  return isUnknownToOldCode(relation) ? undefined : `drops ${object} ${nameOf(relation)}`;
}

function dropView(action: Drop, at: Judging): string | undefined {
  const relation = at.catalog.relation(action.name);
  if (isUnknownToOldCode(relation) || isNewView(action.name, relation, at.catalog)) return undefined;
  const remade = viewInPlace(action, relation, at);
  if (remade === undefined) return `drops view ${nameOf(relation)}`;
  const { columns } = remade;
  if (columns === undefined || relation.state === 'unknown') return `makes view ${nameOf(relation)} anew, and its columns cannot be told`;
  const lost = relation.columns.map(({ name }) => name).filter((each) => !columns.includes(each));
  return lost.length === 0 ? undefined : `drops ${lost.map((each) => `column ${nameOf(relation)}.${each}`).join(', ')}`;
}

function dropIndex(action: Drop, at: Judging): string | undefined {
  const index = at.catalog.relation(action.name);
  if (index.state === 'absent') return undefined;
  const reason = `drops index ${action.name.name}, which upserts of older code may need`;
  if (index.table === null) return index.state === 'unknown' ? reason : undefined;
  const relation = at.catalog.relation(index.table);
  const facts = relation.indexes.find(({ name }) => name === index.name);
  if (facts?.unique !== true || facts.partial) return facts?.unique === true ? reason : undefined;
  return isStillUnique({ action, relation, columns: facts.columns, index: facts.name, at }) ? undefined : reason;
}

function dropType({ object, name }: Drop, { catalog }: Judging): string | undefined {
  const isAbsent = catalog.connected && (catalog.typeOf(name)?.name ?? null) === null;
  return isAbsent || catalog.isBorn('type', name) ? undefined : `drops ${object} ${writtenName(name)}`;
}
