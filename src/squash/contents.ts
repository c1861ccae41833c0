import type { Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { qualified } from '../sql.js';

/** What stands in a table or a sequence, in short: what a schema alone would lose. */
export interface Content {
  /** `rows of "public"."orders"`, `position of "public"."orders_id_seq"`. */
  readonly what: string;
  /** How many rows, or where the sequence stands. */
  readonly count: string;
  /** Of all rows, in whatever order they stand. */
  readonly digest: string;
}

// Partitions are tables; members of extensions are filled by the extension.
const tablesSql = `select n.nspname as schema, c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
    and pg_catalog.format('%I.%I', n.nspname, c.relname) <> all ($1)
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid and d.objid = c.oid and d.deptype = 'e')
  order by n.nspname, c.relname`;

// One where it starts says nothing. `restart with` moves it without a row, and pg_sequences does not tell before the first nextval().
const sequencesSql = `select n.nspname as schema, c.relname as name, s.seqstart::text as start
  from pg_catalog.pg_sequence s join pg_catalog.pg_class c on c.oid = s.seqrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relpersistence <> 't' and not exists (
    select from pg_catalog.pg_depend d left join (pg_catalog.pg_class o join pg_catalog.pg_namespace of on of.oid = o.relnamespace)
      on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid and o.oid = d.refobjid and d.deptype in ('a', 'i')
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid and d.objid = c.oid
      and (d.deptype = 'e' or pg_catalog.quote_ident(of.nspname) || '.' || pg_catalog.quote_ident(o.relname) = any ($1)))
  order by n.nspname, c.relname`;

interface Named {
  readonly schema: string;
  readonly name: string;
}

/**
 * Reads which tables of a scratch database have rows, and which sequences have been moved from their start, without those of the history.
 * Writes nothing.
 */
export async function readContents(session: Session, { schema, names }: Tables): Promise<readonly Content[]> {
  const ours = await session.query<{ name: string }>(
    "select pg_catalog.format('%I.%I', coalesce($1, pg_catalog.current_schema()), name) as name from pg_catalog.unnest($2::text[]) as name",
    [schema, Object.values(names)],
  );
  const without = ours.map(({ name }) => name);
  const found: Content[] = [];
  const add = async (what: string, sql: string) => {
    const [row] = await session.query<Omit<Content, 'what'>>(sql);
    if (row) found.push({ what, ...row });
  };
  for (const each of await session.query<Named>(tablesSql, [without])) {
    const table = qualified(each.schema, each.name);
    await add(`rows of ${table}`, digestSql(table));
  }
  for (const each of await session.query<Named & { start: string }>(sequencesSql, [without])) {
    const sequence = qualified(each.schema, each.name);
    await add(`position of ${sequence}`, positionSql(sequence, each.start));
  }
  return found;
}

// The sum does not depend on the order. 64 bits of each row's text are enough against an accident.
function digestSql(table: string): string {
  return `select pg_catalog.count(*)::text as count, pg_catalog.sum(pg_catalog.hashtextextended(each::text, 0))::text as digest
    from only ${table} as each having pg_catalog.count(*) > 0`;
}

function positionSql(sequence: string, start: string): string {
  return `select last_value::text as count, pg_catalog.concat_ws(' ', last_value, is_called) as digest from ${sequence}
    where is_called or last_value <> ${start}`;
}
