import type { Node, TypeName } from 'libpg-query';
import { identifier } from '../../sql.js';
import type { Name } from '../actions/index.js';

/** A type as `to_regtype` reads it, with its modifiers: `character varying(30)` comes as `pg_catalog.varchar(30)`. */
export function writeType(type: TypeName): string {
  return `${writeTypeName(type)}${modifiersOf(type)}`;
}

/** The same without modifiers. */
export function writeTypeName({ names = [], arrayBounds = [] }: TypeName): string {
  const parts = names.flatMap((each) => ('String' in each ? [each.String.sval ?? ''] : []));
  return parts.map(part).join('.') + arrayBounds.map(() => '[]').join('');
}

/** The same of a type that is named by itself. */
export function typeKey({ schema, name }: Pick<Name, 'schema' | 'name'>): string {
  return schema === undefined ? part(name) : `${part(schema)}.${part(name)}`;
}

function part(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : identifier(name);
}

/** `(10,2)`, or nothing. */
export function modifiersOf({ typmods = [] }: TypeName): string {
  const numbers = typmods.map(integerOf);
  return numbers.length === 0 ? '' : `(${numbers.join(',')})`;
}

function integerOf(node: Node): number {
  return 'A_Const' in node ? (node.A_Const.ival?.ival ?? 0) : 0;
}

/** timestamp(3) with time zone: the modifiers stand after the first word. */
export function withModifiers(name: string, modifiers: string): string {
  const time = /^(timestamp|time) (with.*)$/.exec(name);
  return time && modifiers ? `${time[1]}${modifiers} ${time[2]}` : `${name}${modifiers}`;
}
