import { identifier, literal } from '../sql.js';

/** A column that the table is walked by. */
export interface KeyColumn {
  readonly name: string;
  /** As format_type() writes it. */
  readonly type: string;
}

/** What is to be known of the table before its first row. */
export interface Keyed {
  /** Schema-qualified and quoted; null where there is no such table. */
  readonly relation: string | null;
  /** r, p; `parent`: others inherit from it; anything else is no table. */
  readonly kind: string | null;
  /** Null where it has no such key. */
  readonly key: readonly KeyColumn[] | null;
}

/**
 * One query: the table (as SQL writes it) and the columns of its primary key, or of the unique key over exactly these columns. A key is one that
 * finds each row by itself: valid, whole, not deferrable, without nulls, and in the order of its columns, or else each batch would sort the table.
 */
export function renderKeyQuery(table: string, key: readonly string[] | undefined): string {
  const parts = `from pg_catalog.unnest(i.indkey::int2[]) with ordinality k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.number where k.place <= i.indnkeyatts`;
  const names = key && `array[${key.map((name) => literal(name)).join(', ')}]::text[]`;
  const wanted = names ? `(select pg_catalog.array_agg(a.attname::text order by k.place) ${parts}) = ${names}` : 'i.indisprimary';
  return `select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) as relation,
      case when c.relkind = 'r' and exists (select from pg_catalog.pg_inherits h where h.inhparent = c.oid) then 'parent' else c.relkind::text end as kind,
      (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) order by k.place) ${parts}) as key
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join lateral (select i.indkey, i.indnkeyatts, i.indcollation from pg_catalog.pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
        and (0 = all (i.indoption::int2[]) or 3 = all (i.indoption::int2[]))
        and not exists (select from pg_catalog.unnest(i.indclass::oid[]) o join pg_catalog.pg_opclass oc on oc.oid = o.o and not oc.opcdefault)
        and not exists (select ${parts} and a.attcollation <> i.indcollation[k.place - 1])
        and ${wanted} and not exists (select ${parts} and not a.attnotnull) limit 1) i on true
    where c.oid = pg_catalog.to_regclass(${literal(table)})::oid`;
}

/** Why a table cannot be walked; undefined where it can. */
export function refusalOf(found: Keyed | undefined, table: string, asked: readonly string[] | undefined): string | undefined {
  if (!found) return `there is no table ${table}`;
  if (found.kind === 'parent') return `tables inherit from ${table}, and its key does not cover their rows`;
  if (found.kind !== 'r' && found.kind !== 'p') return `${table} is no table`;
  if (found.key) return undefined;
  if (asked)
    return `${table} has no unique key over exactly (${asked.join(', ')}), in this order, that is valid, not deferrable, without nulls, and sorts as the columns themselves do`;
  return `${table} has no primary key in whose order it could be walked; name the columns of another unique key in \`key\``;
}

/** `"t"."a", "t"."b"` */
export function columnsOf(key: readonly KeyColumn[]): string {
  return key.map(({ name }) => `t.${identifier(name)}`).join(', ');
}

/** The key of a row as text[], in the form in which it comes back as a parameter. */
export function textOf(key: readonly KeyColumn[]): string {
  return `array[${key.map(({ name }) => `t.${identifier(name)}::text`).join(', ')}]`;
}

/** A key that is the parameter `$number`, an array of texts, as a row of its columns' types. */
export function boundOf(key: readonly KeyColumn[], number: number): string {
  return `(${key.map(({ type }, index) => `($${number}::text[])[${index + 1}]::${type}`).join(', ')})`;
}

/** The oids of what holds the rows of a table: its partitions, or the table itself, of which pg_partition_tree() knows nothing. `table` is an expression. */
export function leavesOf(table: string): string {
  return `select relid::oid from pg_catalog.pg_partition_tree(${table}) where isleaf union select oid from pg_catalog.pg_class where oid = (${table})::oid and relkind = 'r'`;
}
