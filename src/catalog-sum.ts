import { literal } from './sql.js';

/** A catalog that the reading of a schema asks, and which of its rows. */
interface Catalog {
  readonly name: string;
  /** Leaves out the thousands of rows that initdb has made. */
  readonly where?: string;
  /** The relation that a row belongs to, or the schema, where an ordinary temporary table has rows. */
  readonly relation?: string;
  readonly schema?: string;
  /** TOAST tables have rows there, too. */
  readonly toast?: 'has rows';
}

const firstUserOid = 16384;
const toastSpace = 99; // PG_TOAST_NAMESPACE of pg_namespace.dat: a constant spares each row a cast
const all = (...names: readonly string[]): Catalog[] => names.map((name) => ({ name }));
const made = (name: string, key = 'oid', rest: Partial<Catalog> = {}): Catalog => ({ name, where: `${key} >= ${firstUserOid}`, ...rest });

// No row of pg_attrdef, pg_aggregate, pg_partitioned_table or pg_range is written without one of pg_attribute, pg_proc, pg_class or pg_type.
const catalogs: readonly Catalog[] = [
  made('pg_attribute', '', { where: `attnum > 0 and attrelid >= ${firstUserOid}`, relation: 'attrelid', toast: 'has rows' }),
  made('pg_index', 'indexrelid', { relation: 'indexrelid', toast: 'has rows' }),
  made('pg_sequence', 'seqrelid', { relation: 'seqrelid' }),
  made('pg_constraint', 'oid', { schema: 'connamespace' }),
  made('pg_type', 'oid', { schema: 'typnamespace' }),
  made('pg_description', '', { where: `(objoid >= ${firstUserOid} or objoid = 2200)` }), // `public` is 2200
  made('pg_inherits', 'inhrelid'),
  made('pg_foreign_table', 'ftrelid'),
  made('pg_ts_config_map', 'mapcfg'),
  ...['pg_trigger', 'pg_rewrite', 'pg_policy', 'pg_statistic_ext', 'pg_proc', 'pg_operator', 'pg_opclass', 'pg_opfamily'].map((name) =>
    made(name),
  ),
  ...['pg_amop', 'pg_amproc', 'pg_am', 'pg_cast', 'pg_collation', 'pg_conversion', 'pg_language'].map((name) => made(name)),
  ...['pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template'].map((name) => made(name)),
  ...all('pg_enum', 'pg_default_acl', 'pg_extension', 'pg_event_trigger', 'pg_transform', 'pg_publication', 'pg_publication_rel'),
  ...all('pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_tablespace'),
  { name: 'pg_namespace', where: `nspname !~ '^pg_'` },
  // What joins an extension, or a schema that joins a publication, is written down there alone.
  {
    name: 'pg_depend',
    where: `refclassid in ('pg_catalog.pg_extension'::pg_catalog.regclass, 'pg_catalog.pg_publication'::pg_catalog.regclass)`,
  },
];

// What is temporary is its session's own business, and a REFRESH makes its TOAST table anew.
const passing = `temporary_space as materialized (
    select oid from pg_catalog.pg_namespace where nspname ~ '^pg_(toast_)?temp_'
  ), passing as materialized (
    select oid, relpersistence from pg_catalog.pg_class where relpersistence = 't' or relnamespace = ${toastSpace}
  ), temporary as materialized (
    select oid from passing where relpersistence = 't'
  )`;

function renderRows({ name, where = 'true', relation, schema, toast }: Catalog): string {
  const lasting = [
    where,
    ...(relation === undefined ? [] : [`${relation} not in (select oid from ${toast ? 'passing' : 'temporary'})`]),
    ...(schema === undefined ? [] : [`${schema} not in (select oid from temporary_space)`]),
  ];
  return `select xmin as written from pg_catalog.${name} where ${lasting.join(' and ')}`;
}

// By what it says, not by who wrote it: TRUNCATE, REFRESH, CLUSTER and REINDEX give a relation another file, and write its row for that.
// The hash of an aclitem knows nothing of grant options; its text does.
const relations = `select sum(pg_catalog.hash_record_extended(row(relname, relnamespace, relowner, relkind, relpersistence, relam, reltablespace,
    reloftype, relispartition, relrowsecurity, relforcerowsecurity, relreplident, reloptions, relacl::text, relpartbound::text), 0))
  from pg_catalog.pg_class
  where oid >= ${firstUserOid} and relnamespace not in (select oid from temporary_space) and oid not in (select oid from own)
    and (reloptions is not null or relnamespace <> 'pg_toast'::pg_catalog.regnamespace)`;

// A role that is named anew writes nothing in this database. pg_shdepend knows which ones it has to do with, but not the first superuser.
const roles = `select sum(pg_catalog.hashtextextended(rolname::text, oid::bigint)) from pg_catalog.pg_roles r
  where oid = 10 or exists (select from pg_catalog.pg_shdepend d where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = r.oid
    and d.dbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) and d.objid not in (select oid from own))`;

/**
 * SQL of one text: as long as it is the same, nothing that a reading of the schema tells can have changed. Where it is another, something may have:
 * a change that was taken back, or a restore, has changed it too. `own`: tables of ours, as in SQL; who may read them is nobody's schema.
 *
 * Each change writes rows anew, with the number of its transaction (xmin), which VACUUM keeps when it freezes them. So it is enough to count the rows of
 * each transaction: what was written since belongs to one that is not among the old ones, and what was only deleted is missing there.
 */
export function renderCatalogSum(own: readonly string[]): string {
  return `(with ${passing}, own as materialized (
    select pg_catalog.to_regclass(name)::oid as oid from (values ${own.map((name) => `(${literal(name)})`).join(', ')}) as table_of (name)
    where pg_catalog.to_regclass(name) is not null
  )
  select pg_catalog.concat_ws(' ',
    (select sum(pg_catalog.hashtextextended(written::text, rows)) from (
      select written, count(*) as rows from (
        ${catalogs.map(renderRows).join('\n        union all ')}) as every group by written) as transactions),
    (${relations}),
    (${roles})))`;
}
