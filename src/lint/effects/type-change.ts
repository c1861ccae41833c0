import type { ActionOf } from '../actions/index.js';
import { modifiersOf, writeTypeName, type Catalog, type ColumnFacts, type Relation } from '../catalog/index.js';
import { columnOf } from './implied.js';

/**
 * What a change of type makes of the table: `none`; `rewrite`, with all its indexes; `scan`, since a CHECK on the column is verified again;
 * `index`, since one on the column is built again. `unknown` where the type before is not known.
 */
export type TypeChange = 'none' | 'rewrite' | 'scan' | 'index' | 'unknown';

export function typeChangeOf(action: ActionOf<'alter-type'>, table: Relation, catalog: Catalog): TypeChange {
  const column = table.columns.find(({ name }) => name === action.column);
  const wanted = catalog.type(writeTypeName(action.type));
  if (isConverted(action)) return 'rewrite';
  if (column === undefined || typeof wanted?.name !== 'string') return 'unknown';
  if (wanted.isConstrained && column.type !== wanted.name) return 'rewrite'; // each value is held against the domain
  const before = splitType(column.base ?? column.type);
  const after = wanted.base === null ? { name: wanted.name, modifiers: modifiersIn(modifiersOf(action.type)) } : splitType(wanted.base);
  if (!isHeldAsIs(before, after, catalog)) return 'rewrite';
  return workWithoutRewrite({ action, table, column, before, after });
}

/** A type as format_type writes it, with its modifiers apart. */
export interface Type {
  readonly name: string;
  readonly modifiers: readonly number[];
}

// `using c::text` is what happens without it, too.
function isConverted({ using, column, type }: ActionOf<'alter-type'>): boolean {
  if (using === undefined || columnOf(using) === column) return false;
  if (!('TypeCast' in using)) return true;
  const { arg, typeName = {} } = using.TypeCast;
  return columnOf(arg) !== column || writeTypeName(typeName) !== writeTypeName(type) || modifiersOf(typeName) !== modifiersOf(type);
}

export function splitType(type: string): Type {
  return { name: type.replace(/\([\d,]+\)/, ''), modifiers: modifiersIn(type) };
}

function modifiersIn(type: string): number[] {
  return (/\(([\d,]+)\)/.exec(type)?.[1] ?? '').split(',').filter(Boolean).map(Number);
}

const temporal = /^(timestamp|time)( with(out)? time zone)?$|^interval$/;

function isHeldAsIs(before: Type, after: Type, catalog: Catalog): boolean {
  if (before.name === after.name) return isWider(before, after);
  const zones = [before.name, after.name].sort().join();
  if (zones === 'timestamp with time zone,timestamp without time zone')
    return isUtc(catalog.timeZone) && isWider(before, { ...after, name: before.name });
  return after.modifiers.length === 0 && (catalog.typeNamed(after.name)?.castsAsIsFrom.includes(before.name) ?? false);
}

/** Whether one takes every value of the other, and of the same type as it is: `varchar(20)` of `varchar(10)`. */
export function isWider({ name, modifiers: [first, second] }: Type, { modifiers: [wanted, scale] }: Type): boolean {
  if (wanted === first && scale === second) return true;
  if (name === 'character varying' || name === 'bit varying') return wanted === undefined || (first !== undefined && wanted >= first);
  if (name === 'numeric') return wanted === undefined || (first !== undefined && wanted >= first && (scale ?? 0) === (second ?? 0));
  if (temporal.test(name)) return (wanted ?? 6) >= (first ?? 6);
  return false;
}

// The session's own: a rewrite is left out only where the two kinds of timestamp mean the same (timestamptz_support and TimeZone, 12 and later).
function isUtc(timeZone: string): boolean {
  return /^(utc|gmt|gmt[+-]?0|etc\/(utc|gmt[+-]?0?|uct|universal|zulu|greenwich)|uct|universal|zulu|greenwich)$/i.test(timeZone);
}

interface Held {
  readonly action: ActionOf<'alter-type'>;
  readonly table: Relation;
  readonly column: ColumnFacts;
  readonly before: Type;
  readonly after: Type;
}

const sameOperators = new Set(['text', 'character varying']);

function workWithoutRewrite({ action, table, column, before, after }: Held): TypeChange {
  const on = (columns: readonly (string | null)[]) => columns.includes(column.name);
  const otherOperators = before.name !== after.name && !(sameOperators.has(before.name) && sameOperators.has(after.name));
  const otherCollation = action.collation !== undefined && action.collation !== column.collation;
  if ((otherOperators || otherCollation) && table.indexes.some(({ columns }) => on(columns))) return 'index';
  if (table.indexes.some(({ rebuiltWith }) => rebuiltWith?.includes(column.name))) return 'index';
  if (table.constraints.some(({ kind, validated, columns }) => kind === 'c' && validated && on(columns))) return 'scan';
  return 'none';
}
