import type { Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { qualified } from '../sql.js';

/** The rows of one table in short. */
export interface TableRows {
  /** Qualified, and quoted where SQL needs it. */
  readonly table: string;
  readonly count: number;
  /** Of all rows, in whatever order they stand. */
  readonly digest: string;
}

// Partitions are tables; members of extensions are filled by the extension.
const tablesSql = `select n.nspname as schema, c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and pg_catalog.format('%I.%I', n.nspname, c.relname) <> all ($1)
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
  order by n.nspname, c.relname`;

/** Reads which tables of a scratch database have rows, without those of the history. Writes nothing. */
export async function readRows(session: Session, { schema, names }: Tables): Promise<readonly TableRows[]> {
  const ours = await session.query<{ name: string }>(
    "select pg_catalog.format('%I.%I', coalesce($1, pg_catalog.current_schema()), name) as name from pg_catalog.unnest($2::text[]) as name",
    [schema, Object.values(names)],
  );
  const tables = await session.query<{ schema: string; name: string }>(tablesSql, [ours.map(({ name }) => name)]);
  const found: TableRows[] = [];
  for (const { schema: space, name } of tables) {
    const table = qualified(space, name);
    const [row] = await session.query<Omit<TableRows, 'table'>>(digestSql(table));
    if (row && row.count > 0) found.push({ table, ...row });
  }
  return found;
}

// The sum does not depend on the order. 64 bits of each row's text are enough against an accident.
function digestSql(table: string): string {
  return `select pg_catalog.count(*)::float8 as count, coalesce(pg_catalog.sum(pg_catalog.hashtextextended(each::text, 0)), 0)::text as digest
    from only ${table} as each`;
}
