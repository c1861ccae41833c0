/** A system catalog, what its rows are known by, and which of them come and go with temporary objects. */
interface Catalog {
  readonly name: string;
  /** A bigint. */
  readonly key: string;
  readonly relation?: string;
  readonly schema?: string;
  /** Leaves out the thousands of rows that every database has. */
  readonly from?: string;
}

const by = (name: string, key = 'oid', rest: Omit<Catalog, 'name' | 'key'> = {}): Catalog => ({ name, key, ...rest });
const ours = (key = 'oid') => `${key} >= '16384'`;

// pg_depend, pg_shdepend and pg_statistic follow from others or say nothing.
const catalogs: readonly Catalog[] = [
  by('pg_attribute', '(attrelid::bigint << 16) + attnum', { relation: 'attrelid', from: ours('attrelid') }),
  by('pg_attrdef', 'oid', { relation: 'adrelid' }),
  by('pg_constraint', 'oid', { schema: 'connamespace' }),
  by('pg_index', 'indexrelid', { relation: 'indrelid', from: ours('indexrelid') }),
  by('pg_trigger', 'oid', { relation: 'tgrelid' }),
  by('pg_rewrite', 'oid', { relation: 'ev_class' }),
  by('pg_policy'),
  by('pg_inherits', '(inhrelid::bigint << 16) + inhseqno', { relation: 'inhrelid' }),
  by('pg_partitioned_table', 'partrelid', { relation: 'partrelid' }),
  by('pg_sequence', 'seqrelid', { relation: 'seqrelid' }),
  by('pg_statistic_ext'),
  by('pg_proc', 'oid', { schema: 'pronamespace' }),
  by('pg_aggregate', 'aggfnoid::oid', { from: ours('aggfnoid::oid') }),
  by('pg_type', 'oid', { schema: 'typnamespace', from: ours() }),
  by('pg_enum'),
  by('pg_range', 'rngtypid', { from: ours('rngtypid') }),
  by('pg_operator', 'oid', { from: ours() }),
  by('pg_opclass', 'oid', { from: ours() }),
  by('pg_opfamily'),
  by('pg_amop', 'oid', { from: ours() }),
  by('pg_amproc', 'oid', { from: ours() }),
  by('pg_am'),
  by('pg_cast'),
  by('pg_collation', 'oid', { from: ours() }),
  by('pg_conversion', 'oid', { from: ours() }),
  by('pg_language'),
  by('pg_transform'),
  by('pg_ts_config'),
  by('pg_ts_config_map', '(mapcfg::bigint << 24) + (maptokentype << 8) + mapseqno', { from: ours('mapcfg') }),
  by('pg_ts_dict'),
  by('pg_ts_parser'),
  by('pg_ts_template'),
  by('pg_foreign_data_wrapper'),
  by('pg_foreign_server'),
  by('pg_foreign_table', 'ftrelid'),
  by('pg_extension'),
  by('pg_event_trigger'),
  by('pg_namespace', 'oid', { schema: 'oid' }),
  by('pg_default_acl'),
  by('pg_publication'),
  by('pg_publication_rel'),
  by('pg_description', '(objoid::bigint << 16) + objsubid', { from: ours('objoid') }),
  by('pg_seclabel', '(objoid::bigint << 16) + objsubid'),
  by('pg_largeobject_metadata'),
];

// Only its owner sees what it holds.
const largeObjects = by('pg_largeobject', '(loid::bigint << 24) + pageno');
const userMappings = by('pg_user_mapping');

/** What is temporary is its session's own business, and a TOAST table is made anew with each REFRESH. Names of temporary schemas stay. */
export const temporarySql = `temporary as materialized (select oid from pg_catalog.pg_namespace where nspname::text ~ '^pg_(toast_)?temp_' or nspname = 'pg_toast'),
  fleeting as materialized (select oid from pg_catalog.pg_class where relpersistence = 't' or relnamespace = 'pg_toast'::regnamespace::oid)`;

// Every change of an object writes a row of a catalog anew, with the number of the transaction that did; VACUUM keeps that number.
function renderCatalog({ name, key, relation, schema, from }: Catalog): string {
  const conditions = [
    ...(from === undefined ? [] : [from]),
    ...(relation === undefined ? [] : [`not exists (select from fleeting where fleeting.oid = ${relation})`]),
    ...(schema === undefined
      ? []
      : [`not exists (select from temporary where temporary.oid = ${schema === 'oid' ? `${name}.oid` : schema})`]),
  ];
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  const hash = `pg_catalog.hashint8extended((${key})::bigint, xmin::text::bigint)`;
  return `(select coalesce(sum(${hash}), 0)::text from pg_catalog.${name} ${where})`;
}

// Not all of pg_class: VACUUM, ANALYZE and TRUNCATE write to it, and some of its columns say only what may be there.
const relationsSql = `(select coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', oid, relname, relnamespace, reltype, reloftype,
    relowner, relam, reltablespace, relpersistence, relkind, relnatts, relchecks, relrowsecurity, relforcerowsecurity, relispopulated,
    relreplident, relispartition, relacl::text, reloptions::text, relpartbound is null), 0)), 0)::text
  from pg_catalog.pg_class where relpersistence <> 't' and not exists (select from temporary where temporary.oid = relnamespace))`;

const databaseSql = `(select pg_catalog.concat_ws(' ', d.datdba, d.datacl::text, d.datconnlimit, d.datistemplate, d.datallowconn,
    pg_catalog.shobj_description(d.oid, 'pg_database'),
    (select pg_catalog.string_agg(slot_name, ' ' order by slot_name) from pg_catalog.pg_replication_slots where database = d.datname),
    (select pg_catalog.string_agg(subname, ' ' order by subname) from pg_catalog.pg_subscription where subdbid = d.oid), (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', setrole, setconfig::text), ' '
    order by setrole) from pg_catalog.pg_db_role_setting where setdatabase = d.oid))
  from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())`;

/** An array of texts that is the same as long as no object, right or setting of the database is another than it was. */
export function renderShape(superuser: boolean): string {
  const read = superuser ? [...catalogs, largeObjects, userMappings] : catalogs;
  return `array[${[...read.map(renderCatalog), relationsSql, databaseSql].join(',\n')}]`;
}
