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

// Each operator has the types of pg_catalog's own: what it has no exact match for, it finds in a schema of the search_path, where others may have put one.
const oid = (number: number): string => `${number}::pg_catalog.oid`;
const firstUserOid = oid(16384);
const toastSpace = oid(99); // PG_TOAST_NAMESPACE of pg_namespace.dat: a constant spares each row a cast
const classesOf = (names: readonly string[]): string =>
  names.map((name) => `'pg_catalog.${name}'::pg_catalog.regclass::pg_catalog.oid`).join(', ');

const whole = (name: string): Catalog => ({ name }); // initdb makes hardly a row there
const made = (name: string, key = 'oid', rest: Partial<Catalog> = {}): Catalog => ({ name, where: `${key} >= ${firstUserOid}`, ...rest });

const columns: Catalog = {
  name: 'pg_attribute',
  where: `attnum > 0 and attrelid >= ${firstUserOid}`,
  relation: 'attrelid',
  toast: 'has rows',
};

// No row of pg_attrdef, pg_aggregate, pg_partitioned_table, pg_range or pg_publication_rel is written without one of these, or of pg_class.
const common: readonly Catalog[] = [
  made('pg_index', 'indexrelid', { relation: 'indexrelid', toast: 'has rows' }),
  made('pg_constraint', 'oid', { schema: 'connamespace' }),
  made('pg_type', 'oid', { schema: 'typnamespace' }),
  { name: 'pg_sequence', relation: 'seqrelid' },
  made('pg_description', 'objoid'),
  ...['pg_inherits', 'pg_trigger', 'pg_policy', 'pg_enum', 'pg_default_acl'].map(whole),
  ...['pg_publication', 'pg_extension', 'pg_foreign_data_wrapper', 'pg_transform'].map(whole),
  ...['pg_rewrite', 'pg_proc', 'pg_cast', 'pg_am', 'pg_tablespace'].map((name) => made(name)),
  { name: 'pg_namespace', where: `nspname::pg_catalog.text !~ '^pg_'` },
  // What joins an extension, and what joins or leaves a publication, is written down there alone.
  { name: 'pg_depend', where: `refclassid in (${classesOf(['pg_extension', 'pg_publication'])})` },
];

// Of objects that few databases have. Each depends on a schema, a function or an object of its kind, so pg_depend tells whether there are any.
const rare = [
  ...['pg_statistic_ext', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_collation', 'pg_conversion', 'pg_language', 'pg_event_trigger'],
  ...['pg_ts_config', 'pg_ts_dict', 'pg_ts_parser', 'pg_ts_template', 'pg_foreign_server'],
];
const ofRare: readonly Catalog[] = [
  ...[...rare, 'pg_amop', 'pg_amproc'].map((name) => made(name)),
  made('pg_ts_config_map', 'mapcfg'),
  whole('pg_foreign_table'),
];

// What is temporary is its session's own business, and a REFRESH makes its TOAST table anew.
const passing = `temporary_space as materialized (
    select oid from pg_catalog.pg_namespace where nspname::pg_catalog.text ~ '^pg_(toast_)?temp_'
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
  return renderWritten({ name, where: lasting.join(' and ') });
}

function renderWritten({ name, where = 'true' }: Catalog): string {
  return `select xmin as written from pg_catalog.${name} where ${where}`;
}

// By what it says, not by who wrote it: TRUNCATE, REFRESH, CLUSTER and REINDEX give a relation another file, and write its row for that.
// The hash of an aclitem knows nothing of grant options; its text does.
const relations = `select sum(pg_catalog.hash_record_extended(row(relname, relnamespace, relowner, relkind, relpersistence, relam, reltablespace,
    reloftype, relispartition, relrowsecurity, relforcerowsecurity, relreplident, reloptions, relacl::text, relpartbound::text),
    case when relnamespace = ${toastSpace} then 0 else oid::bigint end))
  from pg_catalog.pg_class
  where oid >= ${firstUserOid} and relnamespace not in (select oid from temporary_space) and oid not in (select oid from own)
    and (reloptions is not null or relnamespace <> ${toastSpace})`;

// The one comment of initdb's that a reading tells. What initdb has written first has a number that does not age.
const commentOfPublic = `select pg_catalog.hashtextextended(description, 0) from pg_catalog.pg_description
  where classoid = ${classesOf(['pg_namespace'])} and objoid = ${oid(2200)}`;

// A role that is named anew writes nothing in this database. pg_shdepend knows which ones it has to do with, but not the first superuser.
function renderRoles(where: string): string {
  return `select sum(pg_catalog.hashtextextended(pg_catalog.pg_get_userbyid(role)::text, role::bigint)) from (
    select ${oid(10)} as role union select refobjid from pg_catalog.pg_shdepend
    where refclassid = ${classesOf(['pg_authid'])} and dbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and ${where}) as roles`;
}

/**
 * SQL of one text: as long as it is the same, nothing that a reading of the schema tells can have changed. Where it is another, something may have:
 * a change that was taken back, or a restore, has changed it too. `own`: tables of ours, as in SQL; who may read them is nobody's schema.
 */
export function renderCatalogSum(own: readonly string[]): string {
  return `(with ${passing}, own as materialized (
    select pg_catalog.to_regclass(name)::oid as oid from (values ${own.map((name) => `(${literal(name)})`).join(', ')}) as table_of (name)
    where pg_catalog.to_regclass(name) is not null
  ) ${renderTotal([columns, ...common, ...ofRare].map(renderRows), [relations, renderRoles('objid not in (select oid from own)'), commentOfPublic])})`;
}

// The rows that initdb wrote first have a number that does not age. To look at xmin costs a row less than to look at a column.
const aging = (name: string): Catalog => ({ name, where: `xmin <> '1'` }); // BootstrapTransactionId

// Each catalog in a statement has to be planned, which costs more than to read it; a statement that is a text until it is run is planned only then.
// An object in pg_catalog depends on no schema, but what names it depends on it.
const totalOfRare = `select pg_catalog.array_to_tsvector(array[total]) from (${renderTotal(ofRare.map(renderWritten))}) as rare (total)`;
const rareRows = `select case when exists (select from pg_catalog.pg_depend where classid in (${classesOf(rare)}) and objid >= ${firstUserOid})
    or exists (select from pg_catalog.pg_depend where refclassid in (${classesOf(rare)}) and refobjid >= ${firstUserOid})
  then (select pg_catalog.hashtextextended(word, 0) from pg_catalog.ts_stat(${literal(totalOfRare)})) end`;

/**
 * SQL of a text as that of {@link renderCatalogSum}, for half of its time: as long as it is the same, so is the other. It also changes with temporary
 * tables, when TRUNCATE, REFRESH and the like give a relation another file, and with who may read our own tables. Needs the right to call ts_stat(),
 * which everybody has unless it was taken.
 */
export const catalogGlance = `(${renderTotal([aging('pg_attribute'), aging('pg_class'), ...common].map(renderWritten), [renderRoles('true'), commentOfPublic, rareRows])})`;

/**
 * Each change writes rows anew, with the number of its transaction (xmin), which VACUUM keeps when it freezes them. So it is enough to count the rows and
 * to add up the numbers: what is written anew has a higher one than before, and what is only deleted is missing. age() makes the number one to
 * calculate with, counted from the newest transaction; from that of number 3 on, and modulo 2^32, it stays what it is.
 */
function renderTotal(rows: readonly string[], more: readonly string[] = []): string {
  const numbers = `(count(*) * pg_catalog.age('3'::pg_catalog.xid) - sum(pg_catalog.age(written))) & 4294967295`;
  return `select pg_catalog.concat_ws(' ', ${['count(*)', numbers, ...more.map((one) => `(${one})`)].join(', ')}) from (
    ${rows.join('\n    union all ')}) as every`;
}
