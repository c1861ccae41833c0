import type { Knex } from 'knex';
import { sqlOf, type TableName } from './options.js';
import { read } from './send.js';

/** A table as the catalog has it. */
export interface Table {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly partitioned: boolean;
}

/** Undefined where there is none: the first statement that names it says so better, and a capture may be ahead of what makes it. */
export async function readTable(knex: Knex, table: TableName): Promise<Table | undefined> {
  const [row] = await read<Table>(
    knex,
    `select c.oid::text, n.nspname as schema, c.relname as name, c.relkind = 'p' as partitioned
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = pg_catalog.to_regclass(?)::oid`,
    [sqlOf(table)],
  );
  return row;
}

/** A table of a tree of partitions. */
export interface Partition extends Table {
  readonly parent: string;
  /** Has rows of its own. */
  readonly leaf: boolean;
  /** A table that an index can stand on: not a foreign one. */
  readonly local: boolean;
}

/** The partitions of a table, those of partitions too, each after its parent. */
export async function readPartitions(knex: Knex, { oid }: Table): Promise<readonly Partition[]> {
  return await read<Partition>(
    knex,
    `select c.oid::text, n.nspname as schema, c.relname as name, c.relkind = 'p' as partitioned, p.parentrelid::oid::text as parent,
       p.isleaf and c.relkind <> 'p' as leaf, c.relkind in ('r', 'p') as local
     from pg_catalog.pg_partition_tree(?::oid) p join pg_catalog.pg_class c on c.oid = p.relid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where p.level > 0 order by p.level, n.nspname, c.relname`,
    [oid],
  );
}

/** The server's version as a number: 150004 is 15.4. */
export async function readVersion(knex: Knex): Promise<number> {
  const [row] = await read<{ version: string }>(knex, `select pg_catalog.current_setting('server_version_num') as version`, []);
  return Number(row?.version);
}
