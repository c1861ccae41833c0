import type { ActionOf, ColumnDefinition } from '../actions/index.js';
import { modifiersOf, writeType, writeTypeName, type Catalog, type Relation } from '../catalog/index.js';
import type { Reason } from './breaks.js';
import { isRepeated, refusedBy } from './constraints.js';
import { columnBefore, isNewColumn, isUnknownToOldCode, nameOf } from './known.js';
import { refusesNull } from './nulls.js';
import { atTheEnd, staysRequired } from './required.js';
import { isFelt } from './widening.js';

export const addColumn: Reason<'add-column'> = (action, at) => {
  const { column } = action;
  const relation = at.catalog.relation(action.table);
  if (isUnknownToOldCode(relation) || relation.columns.some(({ name }) => name === column.name)) return undefined; // if not exists
  const name = `${nameOf(relation)}.${column.name}`;
  const requirement = { relation, column: column.name, notNull: column.notNull, filled: isFilled(column) };
  if (staysRequired(action, requirement, at)) return `adds column ${name}, which older code does not fill`;
  if (isRepeated(column, at.catalog)) return `adds column ${name}, which is unique, and has one default for all rows of older code`;
  const check = column.constraints.find(({ kind }) => kind === 'check');
  return check && refusedBy(check, { relation, own: column.name, at });
};

function isFilled({ default: given, serial, identity, generated }: ColumnDefinition): boolean {
  return given !== undefined || serial || identity || generated !== undefined;
}

export const dropColumn: Reason<'drop-column'> = ({ table, column }, { catalog }) => {
  const relation = catalog.relation(table);
  return isOldColumn(relation, column) ? `drops column ${nameOf(relation)}.${column}` : undefined;
};

// A column of a known table that is not there: if exists.
function isOldColumn(relation: Relation, column: string): boolean {
  if (isUnknownToOldCode(relation) || isNewColumn(relation, column)) return false;
  return relation.state === 'unknown' || relation.columns.some(({ name }) => name === column);
}

export const setNotNull: Reason<'set-not-null'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  const requirement = { relation, column: action.column, notNull: true, filled: false };
  // Older code may write a null into a column that it knows, whatever the default is.
  const stays = isNewColumn(relation, action.column) ? staysRequired(action, requirement, at) : atTheEnd(action, requirement, at).notNull;
  return stays ? refusesNull(action.column, relation) : undefined;
};

export const dropDefault: Reason<'drop-default'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  const column = relation.columns.find(({ name }) => name === action.column);
  if (isUnknownToOldCode(relation) || column?.hasDefault === false) return undefined;
  const requirement = { relation, column: action.column, notNull: column?.notNull ?? true, filled: column?.identity === true };
  return staysRequired(action, requirement, at)
    ? `drops the default of ${nameOf(relation)}.${action.column}, which is required`
    : undefined;
};

export const dropIdentity: Reason<'drop-identity'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  if (isUnknownToOldCode(relation)) return undefined;
  const requirement = { relation, column: action.column, notNull: true, filled: false };
  return staysRequired(action, requirement, at)
    ? `drops the identity of ${nameOf(relation)}.${action.column}, which is required`
    : undefined;
};

export const addIdentity: Reason<'add-identity'> = ({ table, column, always }, { catalog }) => {
  const relation = catalog.relation(table);
  return always && isOldColumn(relation, column) ? `refuses values of older code for ${nameOf(relation)}.${column}` : undefined;
};

export const dropExpression: Reason<'drop-expression'> = ({ table, column }, { catalog }) => {
  const relation = catalog.relation(table);
  return isOldColumn(relation, column) ? `no longer computes ${nameOf(relation)}.${column}, which older code does not fill` : undefined;
};

export const alterType: Reason<'alter-type'> = (action, { catalog }) => {
  const relation = catalog.relation(action.table);
  if (!isOldColumn(relation, action.column)) return undefined;
  const before = columnBefore(relation, action.column)?.type;
  const after = typeAfter(action, catalog);
  if (before !== undefined && !isFelt(before, after)) return undefined;
  return `changes the type of ${nameOf(relation)}.${action.column}${before === undefined ? '' : ` from ${before}`} to ${after}`;
};

function typeAfter({ type }: ActionOf<'alter-type'>, catalog: Catalog): string {
  const known = catalog.type(writeTypeName(type))?.name;
  return known ? `${known}${modifiersOf(type)}` : writeType(type).replace(/^pg_catalog\./, '');
}
