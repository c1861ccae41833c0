import type { Knex } from 'knex';
import { read } from './send.js';

/** An index as the catalog has it. */
export interface FoundIndex {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** The oid of its table. */
  readonly table: string;
  /** That of a partitioned table is invalid until each partition has its own. */
  readonly valid: boolean;
  readonly partitioned: boolean;
  readonly unique: boolean;
  readonly method: string;
  readonly nullsnotdistinct: boolean;
  /** Of the columns that are searched, without those that are included. */
  readonly keycount: number;
  readonly predicate: string | null;
  readonly definition: string;
  readonly keys: readonly FoundKey[];
}

export interface FoundKey {
  /** Null for an expression. */
  readonly column: string | null;
  readonly expression: string;
  readonly opclass: string | null;
  readonly defaultclass: boolean;
  /** In the collation of its column. */
  readonly collated: boolean;
  readonly descending: boolean;
  readonly nullsfirst: boolean;
}

// PostgreSQL 14 has no column for NULLS NOT DISTINCT.
const headsSql = `
  select i.indexrelid::text as oid, n.nspname as schema, c.relname as name, i.indrelid::text as table, c.relkind = 'I' as partitioned,
    i.indisvalid and i.indisready and i.indislive as valid, i.indisunique as unique, m.amname as method, i.indnkeyatts::int as keycount,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate, pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
    pg_catalog.split_part(pg_catalog.pg_get_indexdef(i.indexrelid), ' WHERE ', 1) like '%) NULLS NOT DISTINCT%' as nullsnotdistinct
  from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_am m on m.oid = c.relam
  where n.nspname = any (?) and c.relname = any (?)`;

const keysSql = `
  select a.attname as column, pg_catalog.pg_get_indexdef(i.indexrelid, k.number, false) as expression, o.opcname as opclass,
    coalesce(o.opcdefault, true) as defaultclass, coalesce(i.indcollation[k.number - 1] = a.attcollation, true) as collated,
    coalesce(i.indoption[k.number - 1] & 1, 0) <> 0 as descending, coalesce(i.indoption[k.number - 1] & 2, 0) <> 0 as nullsfirst
  from pg_catalog.pg_index i cross join pg_catalog.generate_series(1, i.indnatts::int) k (number)
    left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k.number - 1] and a.attnum > 0
    left join pg_catalog.pg_opclass o on o.oid = i.indclass[k.number - 1]
  where i.indexrelid = ?::oid order by k.number`;

/** The indexes of these names in these schemas. */
export async function readIndexes(knex: Knex, schemas: readonly string[], wanted: readonly string[]): Promise<readonly FoundIndex[]> {
  const heads = await read<FoundIndex>(knex, headsSql, [schemas, wanted]);
  const found: FoundIndex[] = [];
  for (const head of heads) found.push({ ...head, keys: await read<FoundKey>(knex, keysSql, [head.oid]) });
  return found;
}

/** An index of a partition that is attached to that of its parent. */
export interface AttachedIndex {
  readonly schema: string;
  readonly name: string;
  /** The oid of its table. */
  readonly table: string;
}

/** What hangs on the index of a partitioned table. */
export async function readAttached(knex: Knex, { oid }: FoundIndex): Promise<readonly AttachedIndex[]> {
  return await read<AttachedIndex>(
    knex,
    `select n.nspname as schema, c.relname as name, i.indrelid::text as table from pg_catalog.pg_partition_tree(?::oid) t
     join pg_catalog.pg_index i on i.indexrelid = t.relid join pg_catalog.pg_class c on c.oid = i.indexrelid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where t.level > 0`,
    [oid],
  );
}

/** The sessions that build an index on the table at this moment. An ordinary role sees whom, not which. */
export async function readBuilders(knex: Knex, table: string): Promise<readonly number[]> {
  const rows = await read<{ pid: number }>(
    knex,
    `select l.pid from pg_catalog.pg_stat_progress_create_index p join pg_catalog.pg_locks l on l.pid = p.pid
     where l.relation = ?::oid and l.mode = 'ShareUpdateExclusiveLock' and l.granted and p.datname = pg_catalog.current_database()`,
    [table],
  );
  return rows.map(({ pid }) => pid);
}
