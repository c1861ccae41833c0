import type { ColumnDef, Constraint as ConstraintNode, IndexStmt, Node, TypeName } from 'libpg-query';
import type { ColumnDefinition, Constraint, IndexDefinition } from './action.js';
import { relationName, stringsOf } from './names.js';

const constraintKinds: Readonly<Record<string, Constraint['kind']>> = {
  CONSTR_CHECK: 'check',
  CONSTR_FOREIGN: 'foreign-key',
  CONSTR_UNIQUE: 'unique',
  CONSTR_PRIMARY: 'primary-key',
  CONSTR_EXCLUSION: 'exclusion',
  CONSTR_NOTNULL: 'not-null',
};

/** A constraint that stands in a list of its own; undefined for what is none (a default, an attribute). */
export function readConstraint(node: ConstraintNode): Constraint | undefined {
  return constraintOf(node, stringsOf(node.fk_attrs ?? node.keys));
}

function constraintOf(node: ConstraintNode, columns: readonly string[]): Constraint | undefined {
  const kind = constraintKinds[node.contype ?? ''];
  if (kind === undefined) return undefined;
  const { conname, raw_expr, pktable, pk_attrs, indexname, skip_validation, is_enforced } = node;
  return {
    kind,
    node,
    columns,
    validated: skip_validation !== true && (is_enforced !== false || (kind !== 'check' && kind !== 'foreign-key')),
    enforced: is_enforced === true || (kind !== 'check' && kind !== 'foreign-key'),
    ...(conname !== undefined && { name: conname }),
    ...(raw_expr !== undefined && { expression: raw_expr }),
    ...(pktable !== undefined && { references: { table: relationName(pktable), columns: stringsOf(pk_attrs) } }),
    ...(indexname !== undefined && { usingIndex: indexname }),
  };
}

const serials = new Set(['serial', 'bigserial', 'smallserial', 'serial2', 'serial4', 'serial8']);

export function readColumn(node: ColumnDef): ColumnDefinition {
  const { colname = '', typeName = {}, constraints = [] } = node;
  const given = constraints.flatMap((each) => ('Constraint' in each ? [each.Constraint] : []));
  const ofType = (type: string) => given.find(({ contype }) => contype === type);
  const generated = ofType('CONSTR_GENERATED');
  const byDefault = ofType('CONSTR_DEFAULT')?.raw_expr;
  const serial = serials.has(typeNameOf(typeName));
  return {
    name: colname,
    node,
    type: typeName,
    notNull: serial || ['CONSTR_NOTNULL', 'CONSTR_PRIMARY', 'CONSTR_IDENTITY'].some(ofType),
    identity: ofType('CONSTR_IDENTITY') !== undefined,
    serial,
    constraints: given.flatMap((each) => (each.contype === 'CONSTR_NOTNULL' ? [] : (constraintOf(each, [colname]) ?? []))),
    ...(byDefault !== undefined && { default: byDefault }),
    ...(generated && { generated: generated.generated_kind === 'v' ? 'virtual' : 'stored' }),
  };
}

/** The last part of a type's name, without its modifiers: `int4`, `varchar`. */
export function typeNameOf({ names = [] }: TypeName): string {
  return stringsOf(names).at(-1) ?? '';
}

export function readIndex(node: IndexStmt): IndexDefinition {
  const {
    idxname,
    unique = false,
    concurrent = false,
    indexParams = [],
    indexIncludingParams = [],
    whereClause,
    accessMethod = 'btree',
    if_not_exists = false,
  } = node;
  return {
    unique,
    concurrently: concurrent,
    columns: indexParams.map((each) => ('IndexElem' in each ? each.IndexElem.name : undefined)),
    partial: whereClause !== undefined,
    method: accessMethod,
    plain: indexIncludingParams.length === 0 && indexParams.every(isPlain),
    ifNotExists: if_not_exists,
    only: node.relation?.inh !== true,
    ...(idxname !== undefined && { name: idxname }),
  };
}

function isPlain(node: Node): boolean {
  const { name, collation, opclass, ordering, nulls_ordering } = 'IndexElem' in node ? node.IndexElem : {};
  return (
    name !== undefined &&
    collation === undefined &&
    opclass === undefined &&
    ordering !== 'SORTBY_DESC' &&
    (nulls_ordering === undefined || nulls_ordering === 'SORTBY_NULLS_DEFAULT')
  );
}

/** `where true` and `where 1 = 1` leave out no row. */
export function whereOf(clause: Node | undefined): 'none' | 'trivial' | 'real' {
  if (clause === undefined) return 'none';
  return isConstant(clause) ? 'trivial' : 'real';
}

function isConstant(node: Node): boolean {
  if ('A_Const' in node) return true;
  if (!('A_Expr' in node)) return false;
  const { lexpr, rexpr } = node.A_Expr;
  return (lexpr === undefined || isConstant(lexpr)) && rexpr !== undefined && isConstant(rexpr);
}

/** The columns that a WHERE pins to a value: `id = $1 and ...`, `id in (1, 2)`. */
export function pinnedBy(clause: Node | undefined): string[] {
  if (clause === undefined) return [];
  if ('BoolExpr' in clause) return clause.BoolExpr.boolop === 'AND_EXPR' ? (clause.BoolExpr.args ?? []).flatMap(pinnedBy) : [];
  const { kind = '', name, lexpr, rexpr } = 'A_Expr' in clause ? clause.A_Expr : {};
  const column = lexpr && columnIn(lexpr);
  if (column === undefined || stringsOf(name)[0] !== '=' || !(kind === 'AEXPR_OP' || kind === 'AEXPR_IN')) return [];
  const values = rexpr && 'List' in rexpr ? (rexpr.List.items ?? []) : [rexpr];
  return values.every((each) => each !== undefined && isValue(each)) ? [column] : [];
}

function isValue(node: Node): boolean {
  if ('TypeCast' in node) return node.TypeCast.arg !== undefined && isValue(node.TypeCast.arg);
  return 'A_Const' in node || 'ParamRef' in node;
}

/** The column of `where c is null`. */
export function nullIn(clause: Node | undefined): string | undefined {
  if (clause === undefined || !('NullTest' in clause) || clause.NullTest.nulltesttype !== 'IS_NULL') return undefined;
  return clause.NullTest.arg && columnIn(clause.NullTest.arg);
}

function columnIn(node: Node): string | undefined {
  return 'ColumnRef' in node ? stringsOf(node.ColumnRef.fields).at(-1) : undefined;
}
