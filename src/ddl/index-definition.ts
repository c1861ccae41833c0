import type { Knex } from 'knex';
import { flag, isObject, oneOf, record, refuse, shown, within, type Reader } from '../config/index.js';
import { identifier } from '../sql.js';
import { inParentheses, listOf, name, names, sql, tableName, type Form, type TableName } from './options.js';
import type { FoundIndex, FoundKey } from './found-index.js';
import { isSameExpression } from './same.js';

/** A column, or an expression over columns, of an index. */
export interface IndexKey {
  readonly column?: string;
  readonly expression?: string;
  /** An operator class: `gin_trgm_ops`. Default: that of the type. */
  readonly opclass?: string;
  /** Default: `asc`. */
  readonly order?: 'asc' | 'desc';
}

/** What an index is. */
export interface IndexDefinition {
  readonly table: TableName;
  /** Of the index: with none the server would make one up, and a dead run's could not be found again. */
  readonly name: string;
  readonly columns: readonly (string | IndexKey)[];
  readonly unique?: boolean;
  /** The access method. Default: `btree`. */
  readonly using?: string;
  /** Columns that are carried along without being searched. */
  readonly include?: readonly string[];
  /** Which rows are in it, in SQL. */
  readonly where?: string;
  /** From PostgreSQL 15 on. */
  readonly nullsNotDistinct?: boolean;
}

const key: Reader<string | IndexKey> = (value, place) => {
  if (!isObject(value)) return name(value, place);
  const given = ['column', 'expression'].filter((each) => value[each] !== undefined);
  if (given.length !== 1) return refuse(within(place, 'column'), 'either a column or an expression', shown(value));
  const readers = { column: name, expression: sql, opclass: name, order: oneOf('asc', 'desc') };
  return record<IndexKey>(readers)(value, place);
};

export const indexForm: Form<IndexDefinition> = {
  readers: {
    table: tableName,
    name,
    columns: listOf(key, 'a list of columns, at least one'),
    unique: flag,
    using: name,
    include: names,
    where: sql,
    nullsNotDistinct: flag,
  },
  needed: ['table', 'name', 'columns'],
};

/** The statement that makes it on a table. */
export function renderIndex(index: IndexDefinition, how: 'concurrently' | 'on only', on: { name: string; table: string }): string {
  const { unique = false, using, columns, include, where, nullsNotDistinct = false } = index;
  const start = `create${unique ? ' unique' : ''} index${how === 'concurrently' ? ' concurrently' : ''} ${identifier(on.name)}`;
  const parts = [
    `${start} on${how === 'on only' ? ' only' : ''} ${on.table}${using === undefined ? '' : ` using ${identifier(using)}`}`,
    `(${columns.map(renderKey).join(', ')})`,
    ...(include ? [`include (${include.map(identifier).join(', ')})`] : []),
    ...(nullsNotDistinct ? ['nulls not distinct'] : []),
    ...(where === undefined ? [] : [`where ${inParentheses(where)}`]),
  ];
  return parts.join(' ');
}

function renderKey(given: string | IndexKey): string {
  const { column, expression = '', opclass, order } = keyOf(given);
  const what = column === undefined ? inParentheses(expression) : identifier(column);
  return [what, ...(opclass === undefined ? [] : [identifier(opclass)]), ...(order === 'desc' ? ['desc'] : [])].join(' ');
}

function keyOf(given: string | IndexKey): IndexKey {
  return typeof given === 'string' ? { column: given } : given;
}

interface Standing<Found> {
  readonly found: Found;
  /** The table, in SQL. */
  readonly from: string;
}

/** Whether an index in the catalog is this one. Asks only where words could differ. */
export async function isSameIndex(knex: Knex, index: IndexDefinition, { found, from }: Standing<FoundIndex>): Promise<boolean> {
  const { unique = false, using = 'btree', columns, include = [], where, nullsNotDistinct = false } = index;
  const asked = { unique, method: using, nullsnotdistinct: nullsNotDistinct, keycount: columns.length };
  if (Object.entries(asked).some(([field, value]) => found[field as keyof typeof asked] !== value)) return false;
  if ((found.predicate === null) !== (where === undefined)) return false;
  const carried = found.keys.slice(columns.length).map(({ column }) => column);
  if (carried.join('\0') !== include.join('\0')) return false;
  for (const [position, each] of columns.entries()) {
    if (!(await isSameKey(knex, keyOf(each), { found: found.keys[position], from }))) return false;
  }
  return where === undefined || (await isSameExpression(knex, from, [where, found.predicate ?? '']));
}

async function isSameKey(knex: Knex, key: IndexKey, { found, from }: Standing<FoundKey | undefined>): Promise<boolean> {
  const { column, expression, opclass, order = 'asc' } = key;
  if (!found || found.descending !== (order === 'desc') || found.nullsfirst !== found.descending) return false;
  if (opclass === undefined ? !found.defaultclass : found.opclass !== opclass) return false;
  if (column !== undefined) return found.column === column && found.collated;
  return await isSameExpression(knex, from, [expression ?? '', found.expression]); // (customer) is a column to the server
}
