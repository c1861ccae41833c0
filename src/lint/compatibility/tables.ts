import { writtenName, type Action, type ActionOf } from '../actions/index.js';
import type { Relation } from '../catalog/index.js';
import { actionsAfter, isNewView, isOn } from '../lifetime.js';
import type { Judging } from '../rule.js';
import type { Reason } from './breaks.js';
import { isUnknownToOldCode, nameOf } from './known.js';

/** TRUNCATE, and DELETE of everything: older code may need the rows, if only for its foreign keys. Not where they are put back. */
export const removeRows: Reason<'truncate' | 'delete'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  if (action.kind === 'delete' && action.where === 'real') return undefined;
  if (isUnknownToOldCode(relation) || (relation.state === 'old' && relation.rows === 0)) return undefined;
  const isFilled = actionsAfter(action, at).some(
    (each) => (each.kind === 'insert' || each.kind === 'copy') && isOn(each.table, relation, at.catalog),
  );
  return isFilled ? undefined : `removes all rows of ${nameOf(relation)}`;
};

export const refresh: Reason<'refresh'> = ({ view, withData }, { catalog }) => {
  const relation = catalog.relation(view);
  if (withData || isUnknownToOldCode(relation) || isNewView(view, relation, catalog)) return undefined;
  return `empties ${nameOf(relation)}, which cannot be read until it is refreshed`;
};

export const rowSecurity: Reason<'row-security'> = ({ how, table }, { catalog }) => {
  const relation = catalog.relation(table);
  if (how === 'disable' || how === 'no-force' || isUnknownToOldCode(relation)) return undefined;
  if (how === 'enable' && relation.before?.rowSecurity === true) return undefined;
  return `${how === 'force' ? 'forces' : 'turns on'} row level security of ${nameOf(relation)}, which may hide rows from older code`;
};

export const detachPartition: Reason<'detach-partition'> = ({ table, partition }, { catalog }) => {
  const [relation, detached] = [catalog.relation(table), catalog.relation(partition)];
  if (isUnknownToOldCode(relation) || isUnknownToOldCode(detached)) return undefined;
  return `detaches ${nameOf(detached)} from ${nameOf(relation)}, where older code looks for its rows`;
};

export const attachPartition: Reason<'attach-partition'> = ({ table, partition }, { catalog }) => {
  const attached = catalog.relation(partition);
  if (isUnknownToOldCode(attached)) return undefined;
  return `attaches ${nameOf(attached)} to ${nameOf(catalog.relation(table))}, whose bound may refuse rows of older code`;
};

export const alterDomain: Reason<'alter-domain'> = ({ domain, how }, { catalog }) => {
  const isAbsent = catalog.connected && (catalog.typeOf(domain)?.name ?? null) === null;
  if (isAbsent || (how !== 'add-constraint' && how !== 'set-not-null')) return undefined;
  return `adds a constraint to the domain ${writtenName(domain)}, which may refuse values of older code`;
};

export const revoke: Reason<'revoke'> = (action, { catalog }) => {
  const { what, object, on } = action;
  const isNew = (name: (typeof on)[number]) => {
    if (object === 'table' || object === 'sequence') return isUnknownToOldCode(catalog.relation(name)) || catalog.isBorn('view', name);
    return (object === 'function' || object === 'schema' || object === 'type') && catalog.isBorn(object, name);
  };
  return on.length > 0 && on.every(isNew) ? undefined : `revokes rights on ${what}`;
};

export const alterTable: Reason<'alter-table'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  return isUnknownToOldCode(relation) ? undefined : subtypes.find(([pattern]) => pattern.test(action.subtype))?.[1](action, relation, at);
};

type Judge = (action: ActionOf<'alter-table'>, relation: Relation, at: Judging) => string | undefined;

const subtypes: readonly (readonly [RegExp, Judge])[] = [
  [/^AT_DisableTrig/, disableTriggers],
  [/^AT_Enable\w*Trig/, enableTriggers],
  [/^AT_ChangeOwner$/, (_, relation) => `gives ${nameOf(relation)} to another owner`],
  [/^AT_DropInherit$/, (_, relation) => `takes the rows of ${nameOf(relation)} out of its parent, where older code looks for them`],
  [/^RuleStmt$/, (_, relation) => `adds a rule to ${nameOf(relation)}, which may change what older code writes`],
  [/^AlterPolicyStmt$/, (_, relation) => `changes a policy of ${nameOf(relation)}`],
  [/Rule$/, (_, relation) => `changes the rules of ${nameOf(relation)}`],
];

function disableTriggers(action: ActionOf<'alter-table'>, relation: Relation, at: Judging): string | undefined {
  if (subtypesOn(relation, actionsAfter(action, at), at).some((each) => /^AT_Enable\w*Trig/.test(each))) return undefined;
  return `disables triggers of ${nameOf(relation)}, which complete or refuse what older code writes`;
}

function enableTriggers(_: unknown, relation: Relation, at: Judging): string | undefined {
  const wereOn = subtypesOn(relation, at.step.actions, at).some((each) => each.startsWith('AT_DisableTrig'));
  return wereOn ? undefined : `enables triggers of ${nameOf(relation)}, which may refuse rows of older code`;
}

function subtypesOn(relation: Relation, actions: readonly Action[], { catalog }: Judging): string[] {
  return actions.flatMap((each) => (each.kind === 'alter-table' && isOn(each.table, relation, catalog) ? [each.subtype] : []));
}
