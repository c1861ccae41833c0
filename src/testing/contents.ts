import { literal } from '../sql.js';
import type { Link } from './link.js';

/** What can be put back in a database without making it anew. Names are quoted and qualified. */
export interface Contents {
  readonly tables: readonly Table[];
  readonly sequences: readonly string[];
  /** In the order in which they were made, so that none is refreshed before one that it reads. */
  readonly views: readonly string[];
  /** No trigger and no rule fires while rows are put back. */
  readonly isQuiet: boolean;
}

export interface Table {
  readonly name: string;
  /** Those that a row is written to; the others are generated. */
  readonly columns: readonly string[];
  /** All rows, as one array literal of the table's type; `none` where there are none, `many` where they are too many to hold. */
  readonly rows: { readonly text: string } | 'none' | 'many';
}

const contentsSql = `with own as materialized (
    select c.oid, c.relkind, c.relispopulated, pg_catalog.format('%I.%I', n.nspname, c.relname) as name from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'S', 'm') and c.relpersistence <> 't' and n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema')
  select
    (select coalesce(json_agg(json_build_object('name', name, 'columns', (
       select coalesce(json_agg(pg_catalog.quote_ident(attname) order by attnum), '[]') from pg_catalog.pg_attribute
       where attrelid = own.oid and attnum > 0 and not attisdropped and attgenerated = '')) order by oid), '[]')
     from own where relkind = 'r') as tables,
    (select coalesce(json_agg(name order by oid), '[]') from own where relkind = 'S') as sequences,
    (select coalesce(json_agg(name order by oid), '[]') from own where relkind = 'm' and relispopulated) as views,
    not exists (select from pg_catalog.pg_trigger where tgenabled in ('A', 'R'))
      and not exists (select from pg_catalog.pg_rewrite where ev_enabled in ('A', 'R')) as "isQuiet"`;

const rowBytesLimit = 4 * 2 ** 20;

/** Reads what a fresh copy of the template holds, reference rows included. Writes nothing. */
export async function readContents(link: Link): Promise<Contents> {
  const [found] = await link.query<{ tables: Omit<Table, 'rows'>[]; sequences: string[]; views: string[]; isQuiet: boolean }>(contentsSql);
  if (found === undefined) throw new TypeError('no answer to a question that always has one');
  const tables: Table[] = [];
  for (const table of found.tables) tables.push({ ...table, rows: await readRows(link, table.name) });
  return { ...found, tables };
}

async function readRows(link: Link, table: string): Promise<Table['rows']> {
  const [size] = await link.query<{ many: boolean; some: boolean }>(
    `select pg_catalog.pg_relation_size(${literal(table)}::regclass) > ${rowBytesLimit} as many, exists (select from only ${table}) as some`,
  );
  if (!size?.some) return 'none';
  if (size.many) return 'many';
  const [row] = await link.query<{ text: string }>(`select pg_catalog.array_agg((em_row.*))::text as text from only ${table} em_row`);
  return row === undefined || row.text.length > rowBytesLimit ? 'many' : { text: row.text };
}
