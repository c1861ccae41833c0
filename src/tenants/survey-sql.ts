import { joinedNames, tablesOf, type Tables } from '../history/index.js';
import { literal } from '../sql.js';

/** What of a tenant's tables is there, and may be read. */
export interface Found {
  readonly name: string;
  readonly tables: Tables;
  readonly history: boolean;
  /** As in a History; `absent`: only knex has migrated it. */
  readonly journal: 'known' | 'absent' | 'denied';
  readonly backfills: boolean;
}

/** What {@link renderNamesQuery} gives of one tenant. */
export interface NamesRow {
  /** The place in the list. */
  readonly at: number;
  /** Of the names of the history. */
  readonly hash: string | null;
  /** The names themselves: once in an answer for all that have the same. */
  readonly names: string | null;
  /** The owner row as JSON. */
  readonly owner: string | null;
  /** Whether a backfill is not done. */
  readonly unfinished: boolean;
}

/** What {@link renderJournalQuery} gives of one tenant. */
export interface JournalRow {
  readonly at: number;
  readonly hash: string | null;
  readonly journal: string | null;
}

/** Which of the schemas $1 have the tables $2 (history), $3 (journal), $4 (backfills). It asks the catalogs, and locks none of these tables. */
export const tablesQuery = `
  select t.name, coalesce(u.may and ${mayRead('h')}, false) as history, coalesce(u.may and ${mayRead('b')}, false) as backfills,
         case when j.oid is null then 'absent' when u.may and ${mayRead('j')} then 'known' else 'denied' end as journal,
         pg_catalog.current_setting('max_connections')::int as "maxConnections"
  from pg_catalog.unnest($1::text[]) with ordinality t (name, n)
  left join pg_catalog.pg_namespace s on s.nspname = t.name
  left join lateral (select pg_catalog.has_schema_privilege(s.oid, 'usage') as may) u on true
  left join pg_catalog.pg_class h on h.relnamespace = s.oid and h.relname = $2
  left join pg_catalog.pg_class j on j.relnamespace = s.oid and j.relname = $3
  left join pg_catalog.pg_class b on b.relnamespace = s.oid and b.relname = $4
  order by t.n`;

function mayRead(table: string): string {
  return `pg_catalog.has_table_privilege(${table}.oid, 'select')`;
}

/** What the server gives to it, as what is asked of the tenant next. */
export function foundOf({ name, ...row }: Omit<Found, 'tables'>, tableName: string): Found {
  return { ...row, name, tables: tablesOf({ tableName, schemaName: name }) };
}

// Of a run that ended well only what is compared: so all tenants that are alike read alike.
const owner = `(case detail ->> 'state'::text when 'clear' then pg_catalog.jsonb_build_object('state', 'clear', 'digest', detail -> 'digest'::text, 'unknown', detail -> 'unknown'::text) else detail end)`;

/** The histories of some tenants, in one statement. */
export function renderNamesQuery(tenants: readonly Found[]): string {
  const arms = tenants.map(({ tables, journal, backfills }, at) => {
    const names = `(select ${joinedNames} from ${tables.history})`;
    const row =
      journal === 'known'
        ? `(select pg_catalog.jsonb_strip_nulls(${owner})::text from ${tables.journal} where kind = 'owner')`
        : 'null::text';
    const unfinished = backfills ? `exists (select from ${tables.backfills} where status not in ('done', 'cancelled'))` : 'false';
    return `select ${at} as at, ${names} as names, ${row} as owner, ${unfinished} as unfinished`;
  });
  return `select at, ${onceOf('names')}, owner, unfinished from (${arms.join(' union all ')}) all_of_them`;
}

// What compare() looks at in an entry.
const entry = `pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('migration', migration, 'kind', kind,
    'run', case when detail ->> 'status'::text in ('started', 'unfinished') then run end,
    'detail', pg_catalog.jsonb_build_object('status', detail -> 'status'::text, 'direction', detail -> 'direction'::text,
      'checksum', detail -> 'checksum'::text, 'breaking', detail -> 'breaking'::text, 'breaks', detail -> 'breaks'::text)))`;

/** The journals of some tenants, as {@link readJournal} reads one. */
export function renderJournalQuery(tenants: readonly Pick<Found, 'tables'>[]): string {
  const arms = tenants.map(({ tables: { journal } }, at) => {
    const latest = `select distinct on (migration) migration, kind, run, detail from ${journal}
      where kind in ('attempt', 'stamp', 'repair') and migration is not null and detail ->> 'status'::text <> ${literal('failed')} order by migration, id desc`;
    return `select ${at} as at, (select pg_catalog.jsonb_agg(${entry} order by migration)::text from (${latest}) e) as journal`;
  });
  return `select at, ${onceOf('journal')} from (${arms.join(' union all ')}) all_of_them`;
}

function onceOf(column: string): string {
  // md5() is not there on a server that is held to FIPS.
  const hash = `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${column}, 'UTF8')), 'hex')`;
  return `${hash} as hash, case when pg_catalog.row_number() over (partition by ${column} order by at) = 1 then ${column} end as ${column}`;
}
