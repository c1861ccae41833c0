import { readFacts, type Facts, type Query, type RelationFacts, type Wanted } from './facts.js';

/**
 * How large tables are taken for: `measured`, as the database says that is asked for all else. Or each one that is there counts as large, as in a
 * copy without rows: what is true of it there is true wherever its migrations run, but for its rows; `told` may know how large it is in another
 * database, which is said where it is large there too.
 */
export type Sizes = 'measured' | { readonly told: Query | undefined; readonly smallTableRows: number };

const stored: ReadonlySet<string> = new Set(['r', 'p', 'm']);

/** More than any threshold: a table of which nobody knows how large it is. */
export const unknownRows = Infinity;

/** The same facts with other sizes: what is small, or not there, in the database that is asked counts as large all the same. */
export async function withSizes(facts: Facts, sizes: Sizes, { relations, schemas }: Wanted): Promise<Facts> {
  if (sizes === 'measured') return facts;
  const { told, smallTableRows } = sizes;
  const others = told ? (await readFacts(told, { relations, types: [], functions: [], schemas })).relations : [];
  const sizeOf = ({ schema, name, kind }: RelationFacts) => {
    if (!stored.has(kind)) return {};
    const other = others.find((each) => each.schema === schema && each.name === name);
    if (other === undefined || other.rows < smallTableRows) return { rows: unknownRows, bytes: 0 };
    return { rows: other.rows, bytes: other.bytes };
  };
  return { ...facts, relations: facts.relations.map((relation) => ({ ...relation, ...sizeOf(relation) })) };
}
