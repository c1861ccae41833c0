import type { ActionOf, ColumnDefinition, Constraint } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { impliesNotNull, volatilityOf } from '../effects/index.js';
import { actionsAfter, isOn } from '../lifetime.js';
import type { Judging } from '../rule.js';
import type { Reason } from './breaks.js';
import { columnsIn, isSameExpression } from './expression.js';
import { isNewColumn, isUnknownToOldCode, nameOf } from './known.js';
import { refusesNull } from './nulls.js';

export const addConstraint: Reason<'add-constraint'> = ({ table, constraint }, at) => {
  const relation = at.catalog.relation(table);
  return isUnknownToOldCode(relation) ? undefined : refusedBy(constraint, { relation, at });
};

interface Declared {
  readonly relation: Relation;
  /** The column that it stands beside. */
  readonly own?: string;
  readonly at: Judging;
}

/** Why a constraint may refuse what older code writes; NOT VALID or not, it looks at every new row. */
export function refusedBy(constraint: Constraint, { relation, own, at }: Declared): string | undefined {
  const { kind, enforced, columns, name } = constraint;
  if (!enforced) return undefined;
  if (kind === 'not-null') return columns.map((each) => refusesNull(each, relation)).find((each) => each !== undefined);
  const isNew = (column: string) => column === own || isNewColumn(relation, column);
  if (kind === 'check' && isCheckedAlready(constraint, relation, isNew)) return undefined;
  if (kind === 'foreign-key' && columns.every(isNew)) return undefined;
  if ((kind === 'unique' || kind === 'primary-key') && isUniqueAlready(constraint, relation, at)) return undefined;
  const what = `${words[kind]} ${name ?? `on ${(columns.length > 0 ? columns : columnsIn(constraint.expression)).join(', ')}`}`;
  return `adds ${what} to ${nameOf(relation)}, which may refuse rows of older code`;
}

const words = {
  check: 'the check',
  'foreign-key': 'the foreign key',
  unique: 'the unique constraint',
  'primary-key': 'the primary key',
  exclusion: 'the exclusion constraint',
};

// Old code leaves new columns out: it writes their defaults, which pass. Or the table has this check already, by another name.
function isCheckedAlready({ expression }: Constraint, relation: Relation, isNew: (column: string) => boolean): boolean {
  const columns = columnsIn(expression);
  if (columns.every(isNew)) return true;
  const [column = ''] = columns;
  const isRequired = relation.columns.some(({ name, notNull }) => name === column && notNull);
  if (columns.length === 1 && isRequired && expression && 'NullTest' in expression && impliesNotNull(expression, column)) return true;
  return (relation.before?.constraints ?? []).some((each) => each.kind === 'c' && isSameExpression(each.expression, expression));
}

function isUniqueAlready(
  { kind, columns, usingIndex }: Pick<Constraint, 'kind' | 'columns' | 'usingIndex'>,
  relation: Relation,
  at: Judging,
): boolean {
  const index = relation.indexes.find(({ name }) => name === usingIndex);
  const covered = index ? index.columns.flatMap((each) => each ?? []) : columns;
  const takesNulls = kind === 'primary-key' && !covered.every((each) => isFilledOrRequired(relation, each));
  if (takesNulls) return false;
  return index?.unique === true || isUniqueBefore(relation, covered) || covered.some((each) => isDistinct(relation, each, at));
}

function isFilledOrRequired({ columns }: Relation, column: string): boolean {
  return columns.some(({ name, notNull, born, hasDefault }) => name === column && (notNull || (born === true && hasDefault)));
}

function isUniqueBefore({ before }: Relation, columns: readonly string[]): boolean {
  return (before?.indexes ?? []).some(
    (each) => each.unique && each.valid && !each.partial && each.columns.every((column) => column !== null && columns.includes(column)),
  );
}

// A new column that older code leaves null, or that the server gives another value in each row.
function isDistinct(relation: Relation, column: string, { step, catalog }: Judging): boolean {
  if (!isNewColumn(relation, column)) return false;
  const added = step.actions.find(
    (each): each is ActionOf<'add-column'> =>
      each.kind === 'add-column' && each.column.name === column && isOn(each.table, relation, catalog),
  );
  return added !== undefined && !isRepeated({ ...added.column, constraints: [{ kind: 'unique' }] }, catalog);
}

/** Whether rows that leave a new column out would all have the same value in it, and may not. */
export function isRepeated(
  { default: given, constraints }: Pick<ColumnDefinition, 'default'> & { readonly constraints: readonly Pick<Constraint, 'kind'>[] },
  catalog: Catalog,
): boolean {
  const isUnique = constraints.some(({ kind }) => kind === 'unique' || kind === 'primary-key');
  return isUnique && given !== undefined && volatilityOf(given, catalog) !== 'volatile';
}

export const createUniqueIndex: Reason<'create-index'> = ({ table, index }, at) => {
  const relation = at.catalog.relation(table);
  if (!index.unique || isUnknownToOldCode(relation)) return undefined;
  if (index.ifNotExists && relation.indexes.some(({ name }) => name === index.name)) return undefined;
  const columns = index.columns.flatMap((each) => each ?? []);
  const isWhole = columns.length === index.columns.length;
  if (isWhole && isUniqueAlready({ kind: 'unique', columns }, relation, at)) return undefined;
  return `adds the unique index ${index.name ?? `on ${columns.join(', ')}`} to ${nameOf(relation)}, which may refuse rows of older code`;
};

export const alterConstraint: Reason<'alter-constraint'> = ({ table, name, enforced }, { catalog }) => {
  const relation = catalog.relation(table);
  if (enforced !== true || isUnknownToOldCode(relation)) return undefined;
  return `enforces ${name} of ${nameOf(relation)}, which may refuse rows of older code`;
};

export const dropConstraint: Reason<'drop-constraint'> = (action, at) => {
  const relation = at.catalog.relation(action.table);
  if (isUnknownToOldCode(relation)) return undefined;
  const constraint = relation.constraints.find(({ name }) => name === action.name);
  if (constraint === undefined && relation.state === 'old') return undefined; // if exists
  const isKey = constraint === undefined || constraint.kind === 'p' || constraint.kind === 'u';
  if (!isKey || (constraint && isStillUnique({ action, relation, columns: constraint.columns, index: constraint.index, at })))
    return undefined;
  return `drops ${action.name} of ${nameOf(relation)}, which upserts of older code may need`;
};

interface DroppedKey {
  readonly action: ActionOf<'drop-constraint' | 'drop'>;
  readonly relation: Relation;
  readonly columns: readonly (string | null)[];
  readonly index: string | null;
  readonly at: Judging;
}

/** Whether `on conflict` with these columns finds another unique index, or older code has never seen this one. 42P10 is what it gets where there is none. */
export function isStillUnique({ action, relation, columns, index, at }: DroppedKey): boolean {
  if (relation.before && !relation.before.indexes.some(({ name }) => name === index)) return true;
  const isSameSet = (others: readonly (string | null | undefined)[]) =>
    others.length === columns.length && columns.every((each) => each !== null && others.includes(each));
  if (relation.indexes.some((each) => each.name !== index && each.unique && !each.partial && isSameSet(each.columns))) return true;
  return actionsAfter(action, at).some((each) => {
    if (!('table' in each) || !each.table || !isOn(each.table, relation, at.catalog)) return false;
    if (each.kind === 'create-index') return each.index.unique && !each.index.partial && isSameSet(each.index.columns);
    return each.kind === 'add-constraint' && 'unique primary-key'.includes(each.constraint.kind) && isSameSet(each.constraint.columns);
  });
}
