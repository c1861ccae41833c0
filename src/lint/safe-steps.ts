import type { AlterTableCmd, Constraint as ConstraintNode, Node, RangeVar } from 'libpg-query';
import type { ColumnDefinition, Constraint } from './actions/index.js';
import { constraintName, type QualifiedName } from './catalog/index.js';
import type { Write } from './rule.js';

/** A command of ALTER TABLE, on a table of its own. */
export function alterTable(table: QualifiedName, ...commands: readonly AlterTableCmd[]): Node {
  const cmds = commands.map((each): Node => ({ AlterTableCmd: each }));
  return { AlterTableStmt: { relation: rangeOf(table), cmds, objtype: 'OBJECT_TABLE' } };
}

export function rangeOf({ schema, name }: QualifiedName): RangeVar {
  return { ...(schema !== 'public' && { schemaname: schema }), relname: name, inh: true, relpersistence: 'p' };
}

export const stringNode = (sval: string): Node => ({ String: { sval } });

/** Adds a constraint without a look at the rows, and has it look at them where nobody waits for it. */
export function notValidSteps(table: QualifiedName, constraint: Constraint, write: Write): string[] {
  const name = constraint.name ?? constraintName(table, constraint);
  const node = { ...constraint.node, conname: name, skip_validation: true, initially_valid: false };
  const whole = constraint.kind === 'foreign-key' ? { ...node, fk_attrs: constraint.columns.map(stringNode) } : node;
  return [
    write(alterTable(table, { subtype: 'AT_AddConstraint', def: { Constraint: whole } })),
    write(alterTable(table, { subtype: 'AT_ValidateConstraint', name })),
  ];
}

/** Makes a column NOT NULL without a scan: a validated CHECK proves it. */
export function notNullSteps(table: QualifiedName, column: string, write: Write): string[] {
  const name = `${table.name}_${column}_not_null`;
  return [
    write(alterTable(table, { subtype: 'AT_AddConstraint', def: notValidCheck(name, notNullTest(column)) })),
    write(alterTable(table, { subtype: 'AT_ValidateConstraint', name })),
    write(alterTable(table, { subtype: 'AT_SetNotNull', name: column })),
    write(alterTable(table, { subtype: 'AT_DropConstraint', name })), // for itself: in one statement it comes first, and nothing is proven any more
  ];
}

export function notValidCheck(conname: string, raw_expr: Node): Node {
  return { Constraint: { contype: 'CONSTR_CHECK', conname, raw_expr, skip_validation: true, is_enforced: true } };
}

export function notNullTest(column: string): Node {
  return { NullTest: { arg: { ColumnRef: { fields: [stringNode(column)] } }, nulltesttype: 'IS_NOT_NULL' } };
}

/** Builds the index of a key while the table is in use, and makes it the key's. */
export function keySteps(table: QualifiedName, constraint: Constraint, write: Write): string[] {
  const { columns, node } = constraint;
  const name = constraint.name ?? constraintName(table, constraint);
  const index = indexOn(table, columns, { name, concurrently: true, unique: node });
  const { keys: _keys, including: _including, nulls_not_distinct: _nulls, ...rest } = node;
  const key: ConstraintNode = { ...rest, conname: name, indexname: name };
  return [write(index), write(alterTable(table, { subtype: 'AT_AddConstraint', def: { Constraint: key } }))];
}

/** `unique` has what the constraint adds to it: INCLUDE, NULLS NOT DISTINCT. */
export function indexOn(
  table: QualifiedName,
  columns: readonly string[],
  { name, concurrently, unique }: { readonly name: string; readonly concurrently: boolean; readonly unique?: ConstraintNode },
): Node {
  const included = (unique?.including ?? []).flatMap((each) => ('String' in each ? [elementNode(each.String.sval ?? '')] : []));
  return {
    IndexStmt: {
      idxname: name,
      relation: rangeOf(table),
      accessMethod: 'btree',
      indexParams: columns.map(elementNode),
      ...(included.length > 0 && { indexIncludingParams: included }),
      unique: unique !== undefined,
      concurrent: concurrently,
      nulls_not_distinct: unique?.nulls_not_distinct === true,
    },
  };
}

const elementNode = (name: string): Node => ({
  IndexElem: { name, ordering: 'SORTBY_DEFAULT', nulls_ordering: 'SORTBY_NULLS_DEFAULT' },
});

/** Adds a column without some of what is declared beside it: the parser's names of those constraints. */
export function addColumnWithout(table: QualifiedName, { node }: ColumnDefinition, without: readonly string[]): Node {
  const constraints = (node.constraints ?? []).filter((each) => !('Constraint' in each && without.includes(each.Constraint.contype ?? '')));
  return alterTable(table, { subtype: 'AT_AddColumn', def: { ColumnDef: { ...node, constraints } } });
}
