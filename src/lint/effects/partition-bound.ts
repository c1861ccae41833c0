import type { Node } from 'libpg-query';
import type { Relation } from '../catalog/index.js';
import { comparisonsIn, constantOf, order, type Comparison } from './comparison.js';
import { isKnownNotNull } from './implied.js';

/** Whether validated CHECKs prove something of every row. `unknown`: there are some of which only the server knows what they prove. */
export type Proof = 'proven' | 'unproven' | 'unknown';

type PartitionBound = Extract<Node, { PartitionBoundSpec: unknown }>['PartitionBoundSpec'];

/** What a bound takes of the values of one column. */
type Taken =
  | { readonly kind: 'range'; readonly from: string | undefined; readonly to: string | undefined }
  | { readonly kind: 'list'; readonly values: readonly string[]; readonly null: boolean };

/** Whether PostgreSQL knows without a look at its rows that a table has only those that its bound takes. */
export function proveWithin(table: Relation, parent: Relation, bound: Node): Proof {
  const { is_default: isDefault, strategy } = specOf(bound);
  if (isDefault && parent.partitions.length === 0 && parent.parent === null) return 'proven'; // of nothing else, it takes all
  const column = keyOf(parent);
  if (column === undefined || isDefault || strategy === 'h') return hasChecks(table, parent) ? 'unknown' : 'unproven';
  const taken = takenBy(specOf(bound), spellingOf(table, column));
  const isNullProven = (taken?.kind === 'list' && taken.null) || isKnownNotNull(table, column);
  const proof = prove(table, column, (said) => taken && isWithin(spelled(said, table, column), taken));
  if (proof !== 'proven') return proof;
  if (!isNullProven) return 'unproven';
  return parent.parent === null ? 'proven' : 'unknown'; // of a partition of a partition the outer bound is asked, too
}

/** Whether PostgreSQL knows without a look at its rows that a default partition has none of those that a new bound takes. */
export function proveWithout(table: Relation, parent: Relation, bound: Node): Proof {
  const column = keyOf(parent);
  if (column === undefined) return hasChecks(table, parent) ? 'unknown' : 'unproven';
  const taken = takenBy(specOf(bound), spellingOf(table, column));
  if (taken?.kind === 'list' && taken.null) return hasChecks(table, parent) ? 'unknown' : 'unproven';
  return prove(table, column, (said) => taken && isOutside(spelled(said, table, column), taken));
}

/** The one column by which a table is partitioned; undefined for several, and for expressions. */
function keyOf({ partitionedBy }: Relation): string | undefined {
  return partitionedBy?.columns.length === 1 ? (partitionedBy.columns[0] ?? undefined) : undefined;
}

function specOf(bound: Node): PartitionBound {
  return 'PartitionBoundSpec' in bound ? bound.PartitionBoundSpec : {};
}

type Spelling = (value: string) => string;

// How text is ordered its collation decides, also where it looks like a number: a quote keeps it from being taken for one.
function spellingOf({ columns }: Relation, column: string): Spelling {
  const type = columns.find(({ name }) => name === column)?.type ?? '';
  return /^(text|character|citext|name|bpchar)/.test(type) ? (value) => `'${value}` : (value) => value;
}

function spelled(said: readonly Comparison[], table: Relation, column: string): Comparison[] {
  const spelling = spellingOf(table, column);
  return said.map((each) => ('values' in each ? { ...each, values: each.values.map(spelling) } : { ...each, value: spelling(each.value) }));
}

function takenBy({ strategy, listdatums = [], lowerdatums = [], upperdatums = [] }: PartitionBound, spelling: Spelling): Taken | undefined {
  if (strategy === 'l') {
    const isNull = (each: Node) => 'A_Const' in each && each.A_Const.isnull === true;
    const values = listdatums.filter((each) => !isNull(each)).map(constantOf);
    return values.every((each) => each !== undefined)
      ? { kind: 'list', values: values.map(spelling), null: listdatums.some(isNull) }
      : undefined;
  }
  const [from, to] = [...lowerdatums, ...upperdatums].map((each) => ('ColumnRef' in each ? 'open' : constantOf(each))); // MINVALUE, MAXVALUE
  if (from === undefined || to === undefined) return undefined;
  return { kind: 'range', from: from === 'open' ? undefined : spelling(from), to: to === 'open' ? undefined : spelling(to) };
}

function checksOf({ constraints }: Relation): Node[] {
  return constraints.flatMap(({ validated, expression }) => (validated && expression ? [expression] : []));
}

function hasChecks(table: Relation, { partitionedBy }: Relation): boolean {
  const isOfKey = (columns: readonly string[]) =>
    partitionedBy === null || partitionedBy.columns.some((each) => each === null || columns.includes(each));
  return table.constraints.some(({ kind, validated, columns }) => kind === 'c' && validated && isOfKey(columns));
}

type Judge = (said: readonly Comparison[]) => boolean | undefined;

// Of what is joined by AND some has to prove it; of what is joined by OR each arm.
function prove(table: Relation, column: string, judge: Judge): Proof {
  const checks = checksOf(table);
  if (checks.length === 0) return judge([]) ? 'proven' : 'unproven';
  const proven = anyOf([together(checks, column, judge), ...checks.map((check) => holds(check, column, judge))], (each) => each);
  return proven === undefined ? 'unknown' : proven ? 'proven' : 'unproven';
}

// One side of a range may stand in one CHECK, and the other in another.
function together(nodes: readonly Node[], column: string, judge: Judge): boolean | undefined {
  return judge(nodes.flatMap(conjunctsOf).flatMap((each) => comparisonsIn(each, column) ?? []));
}

function holds(node: Node, column: string, judge: Judge): boolean | undefined {
  const said = comparisonsIn(node, column);
  if (said !== undefined) return judge(said);
  if (!mentions(node, column) || 'NullTest' in node) return false;
  if (!('BoolExpr' in node)) return undefined;
  const args = node.BoolExpr.args ?? [];
  if (node.BoolExpr.boolop === 'NOT_EXPR') return args[0] && holdsDenied(args[0], column, judge);
  if (node.BoolExpr.boolop === 'OR_EXPR') return allOf(args, (each) => holds(each, column, judge));
  return anyOf([together([node], column, judge), ...args.map((each) => holds(each, column, judge))], (each) => each);
}

const opposite = { in: 'not-in', 'not-in': 'in', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const;

// not (a and b) is not a or not b.
function holdsDenied(node: Node, column: string, judge: Judge): boolean | undefined {
  const arms = conjunctsOf(node).map((each) => comparisonsIn(each, column));
  if (arms.some((each) => each === undefined)) return undefined;
  const denied = arms.flatMap((each) => each ?? []).map((each) => ({ ...each, says: opposite[each.says] }) as Comparison);
  return denied.every((each) => judge([each]) === true);
}

function conjunctsOf(node: Node): Node[] {
  if ('BoolExpr' in node && node.BoolExpr.boolop === 'AND_EXPR') return (node.BoolExpr.args ?? []).flatMap(conjunctsOf);
  return [node];
}

function mentions(node: Node, column: string): boolean {
  return JSON.stringify(node).includes(`"sval":${JSON.stringify(column)}`);
}

// Several comparisons hold together.
function isWithin(said: readonly Comparison[], taken: Taken): boolean | undefined {
  if (taken.kind === 'list') return said.some((each) => each.says === 'in' && each.values.every((value) => taken.values.includes(value)));
  const { from, to } = taken;
  const sides = [
    from === undefined || anyOf(said, (each) => isFrom(each, from)),
    to === undefined || anyOf(said, (each) => isBefore(each, to)),
  ];
  return allOf(sides, (each) => each);
}

function isOutside(said: readonly Comparison[], taken: Taken): boolean | undefined {
  if (taken.kind === 'list')
    return said.some(
      (each) =>
        (each.says === 'not-in' && taken.values.every((value) => each.values.includes(value))) ||
        (each.says === 'in' && !taken.values.some((value) => each.values.includes(value))),
    );
  const { from, to } = taken;
  const isBeside = (each: Comparison) =>
    anyOf([from !== undefined && isBefore(each, from), to !== undefined && isFrom(each, to)], (side) => side);
  return anyOf(said, (each) =>
    each.says === 'in' ? allOf(each.values, (value) => isBeside({ says: 'in', values: [value] })) : isBeside(each),
  );
}

/** Whether all that it lets through is at the value or above. */
function isFrom(said: Comparison, value: string): boolean | undefined {
  if (said.says === 'in') return everyOrder(said.values, value, (ordered) => ordered >= 0);
  return said.says === '>' || said.says === '>=' ? everyOrder([said.value], value, (ordered) => ordered >= 0) : false;
}

/** Whether all that it lets through is below the value. */
function isBefore(said: Comparison, value: string): boolean | undefined {
  if (said.says === 'in') return everyOrder(said.values, value, (ordered) => ordered < 0);
  if (said.says === '<') return everyOrder([said.value], value, (ordered) => ordered <= 0);
  return said.says === '<=' ? everyOrder([said.value], value, (ordered) => ordered < 0) : false;
}

function everyOrder(values: readonly string[], than: string, holdsFor: (ordered: number) => boolean): boolean | undefined {
  return allOf(values, (value) => {
    const ordered = order(value, than);
    return ordered === undefined ? undefined : holdsFor(ordered);
  });
}

function anyOf<Item>(items: readonly Item[], test: (each: Item) => boolean | undefined): boolean | undefined {
  const answers = items.map(test);
  return answers.includes(true) || (answers.includes(undefined) ? undefined : false);
}

function allOf<Item>(items: readonly Item[], test: (each: Item) => boolean | undefined): boolean | undefined {
  const answers = items.map(test);
  return !answers.includes(false) && (answers.includes(undefined) ? undefined : true);
}
