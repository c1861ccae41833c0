const name = (oid: string) =>
  `(select pg_catalog.jsonb_build_object('schema', ns.nspname, 'name', rel.relname) from pg_catalog.pg_class rel
    join pg_catalog.pg_namespace ns on ns.oid = rel.relnamespace where rel.oid = ${oid})`;

const listOf = (items: string) => `coalesce((select pg_catalog.jsonb_agg(item) from (${items}) as list(item)), '[]')`;

const columnNames = (relation: string, numbers: string) =>
  `coalesce((select pg_catalog.jsonb_agg(a.attname order by k.position) from pg_catalog.unnest(${numbers}) with ordinality k(number, position)
    left join pg_catalog.pg_attribute a on a.attrelid = ${relation} and a.attnum = k.number), '[]')`;

// A table that was never analyzed is taken for one of small rows, a hundred a page; else the density of the last ANALYZE holds.
const density = `case when l.reltuples >= '0' and l.relpages > 0 then l.reltuples::float8 / l.relpages::float8 else 100 end`;

const columns = `select pg_catalog.jsonb_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'base', case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, null) end,
    'notNull', a.attnotnull and not exists (select from pg_catalog.pg_constraint c
      where c.conrelid = r.oid and c.contype = 'n' and c.conkey operator(pg_catalog.=) array[a.attnum] and not c.convalidated), 'hasDefault', a.atthasdef, 'generated', a.attgenerated, 'identity', a.attidentity <> '',
    'collation', case when a.attcollation <> t.typcollation then (select collname from pg_catalog.pg_collation where oid = a.attcollation) end)
  from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
  where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped order by a.attnum`;

type Sizes = keyof typeof sizesSql;

// Deparsing opens the table, and would wait for whoever has locked it.
const definition = (sizes: Sizes, call: string) =>
  sizes === 'measured' ? call : `case when r.oid in (select relation from locked) then '' else ${call} end`;

const locked = `locked as (
  select l.relation from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.database
  where d.datname = pg_catalog.current_database() and l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
    and l.pid is distinct from pg_catalog.pg_backend_pid()
)`;

// pg_partition_tree() would lock each of them.
const partitionsOf = (roots: string) => `(with recursive tree(oid) as (
  ${roots} union select h.inhrelid from tree join pg_catalog.pg_inherits h on h.inhparent = tree.oid
    join pg_catalog.pg_class c on c.oid = h.inhrelid where c.relispartition
) select oid from tree)`;

const constraints = (
  sizes: Sizes,
) => `select pg_catalog.jsonb_build_object('name', c.conname, 'kind', c.contype, 'validated', c.convalidated,
    'columns', ${columnNames('r.oid', 'c.conkey')}, 'definition', ${definition(sizes, 'pg_catalog.pg_get_constraintdef(c.oid)')},
    'references', ${name('c.confrelid')}, 'referencedColumns', ${columnNames('c.confrelid', 'c.confkey')}, 'index', (select relname from pg_catalog.pg_class where oid = c.conindid))
  from pg_catalog.pg_constraint c where c.conrelid = r.oid and c.contype in ('c', 'f', 'p', 'u', 'x', 'n') order by c.conname`;

const indexes = (
  sizes: Sizes,
) => `select pg_catalog.jsonb_build_object('name', ic.relname, 'schema', n.nspname, 'unique', i.indisunique, 'valid', i.indisvalid,
    'columns', ${columnNames('r.oid', 'i.indkey::int2[]')}, 'partial', i.indpred is not null,
    'method', (select m.amname from pg_catalog.pg_am m where m.oid = ic.relam),
    'plain', i.indexprs is null and i.indnkeyatts = i.indnatts and not exists (
      select from pg_catalog.pg_index p, unnest(p.indclass::oid[], p.indoption::int2[], p.indcollation::oid[], p.indkey::int2[]) k(class, option, coll, number)
      join pg_catalog.pg_opclass o on o.oid = k.class left join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = k.number
      where p.indexrelid = i.indexrelid and (k.option <> 0 or not o.opcdefault or k.coll <> '0' and k.coll <> a.attcollation)),
    'definition', ${definition(sizes, 'pg_catalog.pg_get_indexdef(i.indexrelid)')},
    'rebuiltWith', case when i.indpred is not null or i.indexprs is not null or not i.indisvalid then coalesce((
      select pg_catalog.jsonb_agg(distinct a.attname) from pg_catalog.pg_depend d
      join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid and d.objid = i.indexrelid and d.refobjid = r.oid), '[]') else '[]' end)
  from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid join pg_catalog.pg_namespace n on n.oid = ic.relnamespace
  where i.indrelid = r.oid order by ic.relname`;

const partitionKey = `select pg_catalog.jsonb_build_object('strategy', p.partstrat, 'columns', ${columnNames('r.oid', 'p.partattrs::int2[]')})
  from pg_catalog.pg_partitioned_table p where p.partrelid = r.oid`;

const readers = `select distinct ${name('w.ev_class')} from pg_catalog.pg_depend d join pg_catalog.pg_rewrite w on w.oid = d.objid
  where d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid and d.refobjid = r.oid and w.ev_class <> r.oid`;

const domainUsers = `select a.attrelid from pg_catalog.unnest($2::text[]) as wanted join pg_catalog.pg_type t on t.oid = pg_catalog.to_regtype(wanted)::oid
  join pg_catalog.pg_attribute a on a.atttypid = t.oid join pg_catalog.pg_class c on c.oid = a.attrelid
  where t.typtype = 'd' and not a.attisdropped and c.relkind in ('r', 'p', 'm')`;

const usedBy = `select distinct ${name('a.attrelid')} from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
  where a.atttypid = t.oid and not a.attisdropped and c.relkind in ('r', 'p', 'm')`;

const sizesSql = {
  measured: {
    rows: `(${density}) * (pg_catalog.pg_relation_size(l.oid) / pg_catalog.current_setting('block_size')::int)::float8`,
    bytes: 'pg_catalog.pg_total_relation_size(l.oid)',
  },
  recorded: { rows: `greatest(l.reltuples, '0')`, bytes: "l.relpages::bigint * pg_catalog.current_setting('block_size')::int" },
};

// What is named, the tables of indexes that are, and what hangs on a table.
const relations = `named as (
  select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relname = any ($1::text[]) and (n.nspname = any (pg_catalog.current_schemas(false)) or n.nspname = any ($4::text[]))
    and n.nspname::text !~ '^pg_(toast|temp)' and n.nspname not in ('pg_catalog', 'information_schema')
), tables as (
  select oid from named union select indrelid from pg_catalog.pg_index where indexrelid in (select oid from named)
), relations as (
  select oid from tables union select relid from tables, pg_catalog.pg_partition_ancestors(tables.oid)
  union ${partitionsOf('select oid from tables')}
  union select conrelid from pg_catalog.pg_constraint where contype = 'f' and confrelid in (select oid from tables)
  union select confrelid from pg_catalog.pg_constraint where contype = 'f' and conrelid in (select oid from tables)
  union ${domainUsers}
)`;

function described(sizes: Sizes): string {
  const { rows, bytes } = sizesSql[sizes];
  const storage = (what: string) => `coalesce((select sum(${what}) from pg_catalog.pg_class l
    where l.oid in ${partitionsOf('select r.oid')} and l.relkind in ('r', 'm', 't')), 0)`;
  return `described as (
  select pg_catalog.jsonb_build_object('schema', n.nspname, 'name', r.relname, 'kind', r.relkind, 'persistence', r.relpersistence,
    'table', (select ${name('i.indrelid')} from pg_catalog.pg_index i where i.indexrelid = r.oid),
    'valid', (select i.indisvalid from pg_catalog.pg_index i where i.indexrelid = r.oid),
    'rows', pg_catalog.round(${storage(rows)}), 'bytes', ${storage(bytes)},
    'columns', ${listOf(columns)}, 'constraints', ${listOf(constraints(sizes))}, 'indexes', ${listOf(indexes(sizes))},
    'parent', (select ${name('h.inhparent')} from pg_catalog.pg_inherits h where h.inhrelid = r.oid and r.relispartition limit 1),
    'isDefaultPartition', exists (select from pg_catalog.pg_partitioned_table p where p.partdefid = r.oid),
    'partitions', ${listOf(`select ${name('h.inhrelid')} from pg_catalog.pg_inherits h where h.inhparent = r.oid and r.relkind = 'p'`)},
    'partitionedBy', (${partitionKey}),
    'referencedBy', ${listOf(`select distinct ${name('c.conrelid')} from pg_catalog.pg_constraint c where c.contype = 'f' and c.confrelid = r.oid`)},
    'readers', ${listOf(readers)}, 'rowSecurity', r.relrowsecurity,
    'policies', (select count(*) from pg_catalog.pg_policy p where p.polrelid = r.oid)) as relation
  from relations join pg_catalog.pg_class r using (oid) join pg_catalog.pg_namespace n on n.oid = r.relnamespace
)`;
}

// A domain over a domain has the constraints of both.
const domainsOf = (type: string) => `(with recursive chain(oid, typnotnull, base) as (
  select d.oid, d.typnotnull, d.typbasetype from pg_catalog.pg_type d where d.oid = ${type} and d.typtype = 'd'
  union all select d.oid, d.typnotnull, d.typbasetype from chain join pg_catalog.pg_type d on d.oid = chain.base where d.typtype = 'd'
) select oid, typnotnull from chain)`;

// The tree of a default names each function that it calls by its oid; of one of the server's own pg_depend tells nothing.
const types = `types as (
  select pg_catalog.jsonb_build_object('text', wanted, 'name', pg_catalog.format_type(t.oid, null), 'kind', t.typtype,
    'base', case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end,
    'isConstrained', exists (select from ${domainsOf('t.oid')} d where d.typnotnull or exists (select from pg_catalog.pg_constraint c where c.contypid = d.oid)),
    'hasVolatileDefault', exists (select from pg_catalog.regexp_matches(t.typdefaultbin::text, ':(?:op)?funcid (\\d+)', 'g') called(ids)
      join pg_catalog.pg_proc p on p.oid = called.ids[1]::oid where p.provolatile = 'v'),
    'castsAsIsFrom', ${listOf(`select pg_catalog.format_type(k.castsource, null) from pg_catalog.pg_cast k where k.casttarget = t.oid and k.castmethod = 'b'`)},
    'usedBy', ${listOf(usedBy)},
    'labels', ${listOf('select e.enumlabel from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder')}) as type
  from pg_catalog.unnest($2::text[]) as wanted left join pg_catalog.pg_type t on t.oid = pg_catalog.to_regtype(wanted)::oid
)`;

const functions = `functions as (
  select pg_catalog.jsonb_build_object('schema', n.nspname, 'name', p.proname, 'volatility', p.provolatile,
    'result', pg_catalog.format_type(p.prorettype, null),
    'definition', case when p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype::oid and n.nspname <> 'pg_catalog' then pg_catalog.pg_get_functiondef(p.oid) end
  ) as function
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where p.proname = any ($3::text[])
)`;

const schemas = `schemas as (
  select pg_catalog.jsonb_build_object('name', n.nspname, 'relations', coalesce(counted.relations, 0)) as schema
  from pg_catalog.pg_namespace n left join (
    select relnamespace, count(*) as relations from pg_catalog.pg_class where relkind in ('r', 'p', 'v', 'm', 'f', 'S') group by relnamespace
  ) counted on counted.relnamespace = n.oid
  where n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
)`;

/**
 * One row with one jsonb, `facts`; parameters: names of relations, types as text, names of functions, and the schemas in which the relations are looked for, beside those
 * of the search_path: where each of a thousand tenants has a table of the name, one of them is meant.
 */
export function factsSql(sizes: Sizes): string {
  return `with ${[locked, relations, described(sizes), types, functions, schemas].join(', ')}
select pg_catalog.jsonb_build_object(
  'serverVersion', pg_catalog.current_setting('server_version_num')::int,
  'searchPath', pg_catalog.to_jsonb(pg_catalog.current_schemas(false)), 'timeZone', pg_catalog.current_setting('TimeZone'),
  'relations', ${listOf('select relation from described')}, 'types', ${listOf('select type from types')},
  'functions', ${listOf('select function from functions')}, 'schemas', ${listOf('select schema from schemas')}) as facts`;
}
