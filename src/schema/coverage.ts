import type { SchemaSource } from '../config/index.js';
import type { Line, Schema } from './inspect.js';

/** What of a database is looked at. */
export type Coverage = Pick<SchemaSource, 'include' | 'exclude'>;

/**
 * A schema without what is not looked at. A pattern without a dot means a schema with all that stands in it, one with a dot an object with all
 * that belongs to it; `*` stands for any letters. What stands in no schema (extensions, publications) is everybody's: only `exclude` leaves it out.
 * Pure.
 */
export function restrictTo({ include, exclude }: Coverage, schema: Schema): Schema {
  if (include.length + exclude.length === 0) return schema;
  const ownerOf = ownersIn(schema);
  const isCovered = (line: Line) => {
    const owner = ownerOf(line);
    const isIncluded =
      include.length === 0 || owner.schema === undefined || include.some((pattern) => matches(pattern, owner, 'or its schema'));
    return isIncluded && !exclude.some((pattern) => matches(pattern, owner, 'itself'));
  };
  return { ...schema, lines: schema.lines.filter(isCovered) };
}

/** Whether a pattern means this very object: `public.orders.note`, `orders_note on public.orders`, with `*` for any letters. Pure. */
export function isNamed(identity: string, pattern: string): boolean {
  return isLike(plain(identity), plain(pattern));
}

/** What a line belongs to in the end: `app.orders` for its columns, indexes, grants. */
interface Owner {
  readonly name: string;
  /** Undefined for what stands in no schema. */
  readonly schema: string | undefined;
}

function ownersIn({ lines }: Schema): (line: Line) => Owner {
  const schemas = new Set(lines.filter(({ kind }) => kind === 'schema').map(({ identity }) => identity));
  const parents = new Map(lines.filter(({ identity, parent }) => identity !== parent).map(({ identity, parent }) => [identity, parent]));
  return ({ identity, parent }) => {
    let [name, above] = [identity, parent];
    for (let depth = 0; depth < 8 && above !== '' && !schemas.has(above); depth++) [name, above] = [above, parents.get(above) ?? ''];
    const schema = schemas.has(above) ? above : schemas.has(name) ? name : undefined;
    return { name: plain(name), schema: schema === undefined ? undefined : plain(schema) };
  };
}

function plain(name: string): string {
  return name.replaceAll('"', '');
}

// The schema of an included table is needed for it; but to leave a table out is not to leave its schema out.
function matches(pattern: string, { name, schema }: Owner, what: 'itself' | 'or its schema'): boolean {
  const [of] = pattern.split('.', 1);
  if (pattern === of) return isLike(schema ?? name, pattern);
  return isLike(name, pattern) || (what === 'or its schema' && name === schema && isLike(name, of ?? ''));
}

function isLike(name: string, pattern: string): boolean {
  const expression = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${expression}$`).test(name);
}
