import { qualified } from '../sql.js';
import type { BuiltInCheck } from './check.js';

export interface InvalidIndex {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly table: string;
  /** A session that holds the lock of a concurrent build (or of VACUUM) on its table. */
  readonly builderPid: number | null;
}

/**
 * The invalid indexes of all schemas but the server's own. A partitioned index is left out: it is invalid until each partition has its
 * part, which is a way to build it, and nothing is read from it.
 */
export const invalidIndexSql = `select i.indexrelid::text as oid, n.nspname as schema, c.relname as name, t.relname as "table",
    (select min(l.pid) from pg_catalog.pg_locks l
     where l.locktype = 'relation' and l.relation = i.indrelid and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid <> pg_catalog.pg_backend_pid()
       and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())) as "builderPid"
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class t on t.oid = i.indrelid
  where not (i.indisvalid and i.indisready and i.indislive) and c.relkind = 'i' and n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
  order by n.nspname, c.relname`;

/** Is an index there that no query uses, while every write pays for it? */
export const invalidIndex: BuiltInCheck = {
  rule: 'invalid-index',
  async find({ query }) {
    return (await query<InvalidIndex>(invalidIndexSql)).map((index) => ({ ...describeInvalidIndex(index), names: namesOf(index) }));
  },
};

/** What is wrong with it, and the statement that mends it. Pure. */
export function describeInvalidIndex(index: InvalidIndex): { message: string; remedy: string } {
  const { schema, name, table, builderPid } = index;
  const shown = qualified(schema, name);
  const message = `the index ${shown} on ${qualified(schema, table)} is invalid: no query uses it, and every write pays for it`;
  if (builderPid !== null) {
    return {
      message,
      remedy: `Wait for pid ${builderPid}, which may be building it; if it stays invalid, run: reindex index concurrently ${shown};`,
    };
  }
  // PostgreSQL documentation, REINDEX: what REINDEX CONCURRENTLY leaves behind when it fails is only to be dropped.
  if (/_cc(new|old)\d*$/.test(name)) return { message, remedy: `Run: drop index concurrently ${shown};` };
  return { message, remedy: `Run: reindex index concurrently ${shown}; or, if nobody wants it: drop index concurrently ${shown};` };
}

/** What `except` may call it. */
function namesOf({ schema, name }: InvalidIndex): string[] {
  return [name, `${schema}.${name}`];
}
