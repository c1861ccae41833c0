import { literal } from '../../sql.js';
import { databaseWide } from './database-wide.js';
import { dataTypes } from './data-types.js';
import { notMember, renderPart } from './part.js';
import { relations } from './relations.js';
import { routines } from './routines.js';
import { tableParts } from './table-parts.js';

const parts = [...databaseWide, ...relations, ...tableParts, ...routines, ...dataTypes];

// What the server writes for one and the same object follows these settings: names are qualified under an empty search_path only,
// and a default or a partition bound of type timestamptz is written in the session's time zone.
const settings = {
  search_path: '',
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
};

const pins = Object.entries(settings)
  .map(([name, value]) => `('${name}', '${value}')`)
  .join(', ');

// What came with an extension, and the functions and casts that the server makes for each range type.
const member = `select classid, objid from pg_catalog.pg_depend
  where deptype = 'e' or deptype = 'i' and refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
    and classid in ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_cast'::pg_catalog.regclass)`;

// Names of tables, quoted as in SQL, with or without their schema. A name without one goes for each schema.
const renderSkipped = (
  excluded: readonly string[],
): string => `select c.oid from (select pg_catalog.parse_ident(name) as path from unnest(array[${excluded.map(literal).join(', ')}]::text[]) as name) as e
  join pg_catalog.pg_class c on c.relname = e.path[cardinality(e.path)] and c.relkind in ('r', 'p')
  join space on space.oid = c.relnamespace and (cardinality(e.path) = 1 or space.nspname = e.path[1])`;

const relation = `select c.oid, c.relkind, space.name as space, space.name || '.' || quote_ident(c.relname) as identity
  from pg_catalog.pg_class c join space on space.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and ${notMember('pg_class', 'c.oid')}
    and not exists (select from skipped where skipped.oid = c.oid)
    and not exists (select from pg_catalog.pg_depend d join skipped on skipped.oid = d.refobjid
      where c.relkind = 'S' and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)`;

// "All" in every version's own sense: 17 added MAINTAIN, and what a dump of 16 grants as ALL includes it afterwards.
const grants = `select 'grant', line.kind || ' ' || line.identity || ' to ' || a.grantee, line.identity, case
    when a.names = everything.names and not a.grantable then 'ALL'
    when a.names = everything.names and a.all_grantable then 'ALL WITH GRANT OPTION'
    else a.list end
  from line join everything using (acl_type) cross join lateral (
    select case p.grantee when 0 then 'PUBLIC' else quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) end as grantee,
      array_agg(p.name order by p.name) as names, bool_or(p.grantable) as grantable, bool_and(p.grantable) as all_grantable,
      string_agg(p.name || case when p.grantable then ' WITH GRANT OPTION' else '' end, ', ' order by p.name) as list
    from (select grantee, privilege_type collate "C" as name, bool_or(is_grantable) as grantable
      from pg_catalog.aclexplode(line.acl) group by 1, 2) as p
    group by p.grantee) as a
  where line.acl is not null`;

const comments = `select 'comment', line.kind || ' ' || line.identity, line.identity, d.description
  from line join pg_catalog.pg_description d on d.classoid = line.catalog and d.objoid = line.object and d.objsubid = line.sub`;

export interface Reading {
  /** Names of tables to leave out. */
  readonly excluded: readonly string[];
  readonly lockTimeoutMs: number | undefined;
}

const pathBefore = 'ensure_migrated.search_path';

/**
 * Two statements in one message: the first leaves pg_catalog alone in the search_path, so that the second finds no operator and no function of anybody else's.
 * The second has one row: `version`, `lines`.
 * The settings are changed for its own length, inside a transaction too: `lines` depends on `pinned`, and `restored` on `lines`.
 */
export function renderReading({ excluded, lockTimeoutMs }: Reading): string {
  return `select pg_catalog.set_config('${pathBefore}', pg_catalog.current_setting('search_path'), true), pg_catalog.set_config('search_path', '', true);
with saved as materialized (
  select name, value, pg_catalog.current_setting(case name when 'search_path' then '${pathBefore}' else name end) as before from (values ${pins},
    ('lock_timeout', ${lockTimeoutMs === undefined ? `pg_catalog.current_setting('lock_timeout')` : literal(String(lockTimeoutMs))})) as pin (name, value)
), pinned as materialized (
  select count(pg_catalog.set_config(name, value, true)) as count from saved
), member as materialized (
  ${member}
), space as materialized (
  select oid, nspname, quote_ident(nspname) as name, nspowner, nspacl from pg_catalog.pg_namespace
  where nspname !~ '^pg_' and nspname <> 'information_schema'
), skipped as materialized (
  ${renderSkipped(excluded)}
), relation as materialized (
  ${relation}
), line as materialized (
  ${parts.map(renderPart).join('\n  union all\n  ')}
), everything as materialized (
  select acl_type, (select array_agg(privilege_type collate "C" order by privilege_type collate "C")
    from pg_catalog.aclexplode(pg_catalog.acldefault(acl_type, 10)) where grantee = 10) as names
  from unnest('{r,s,c,n,f,T,l,F,S}'::"char"[]) as acl_type
), answer as materialized (
  select case when (select count from pinned) > 0 then (
    select pg_catalog.json_agg(pg_catalog.json_build_array(kind, identity, parent, definition)) from (
      select kind, identity, parent, definition from line where definition is not null
      union all
      ${grants}
      union all
      ${comments}) as every (kind, identity, parent, definition))::text end as lines
)
select pg_catalog.current_setting('server_version_num')::int as version, coalesce(answer.lines, '[]') as lines,
  (select count(pg_catalog.set_config(name, before, true)) from saved where answer.lines is not null) as restored
from answer`;
}
