import { effectiveAcl, firstUserOid, sortedOptions, type Part } from './part.js';

const schema: Part = {
  catalog: 'pg_namespace',
  object: 'space.oid',
  kind: `'schema'`,
  identity: 'space.name',
  definition: `''`,
  acl: effectiveAcl('n', 'space.nspacl', 'space.nspowner'),
  from: 'space',
};

// Not its version: an update of the server brings another, and nobody has touched the schema. Nor its comment, which came with it.
const extension: Part = {
  catalog: 'pg_extension',
  object: 'e.oid',
  sub: '-1',
  kind: `'extension'`,
  identity: 'quote_ident(e.extname)',
  definition: `'schema ' || quote_ident(n.nspname)`,
  from: 'pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace',
};

const publication: Part = {
  catalog: 'pg_publication',
  object: 'p.oid',
  kind: `'publication'`,
  identity: 'quote_ident(p.pubname)',
  definition: `concat_ws(', ', case when p.puballtables then 'all tables' end, case when p.pubinsert then 'insert' end,
    case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end,
    case when p.pubviaroot then 'via root' end, 'generated columns ' || nullif(pg_catalog.to_jsonb(p) ->> 'pubgencols', 'n'))`,
  from: 'pg_catalog.pg_publication p',
};

// 14 has neither row filters nor column lists. A column that the inner select does not find is looked for in the outer one, which has both as null.
const publicationTable: Part = {
  catalog: 'pg_publication_rel',
  object: 'pr.oid',
  sub: '-1',
  kind: `'publication table'`,
  identity: `relation.identity || ' in ' || quote_ident(p.pubname)`,
  parent: 'quote_ident(p.pubname)',
  definition: `concat_ws(' ', '(' || detail.columns || ')', 'where ' || detail.filter)`,
  from: `pg_catalog.pg_publication_rel pr join pg_catalog.pg_publication p on p.oid = pr.prpubid join relation on relation.oid = pr.prrelid
    cross join (select null::pg_catalog.pg_node_tree as prqual, null::pg_catalog.int2vector as prattrs) as none
    cross join lateral (
      select pg_catalog.pg_get_expr(prqual, prrelid) as filter,
        (select string_agg(quote_ident(a.attname), ', ' order by a.attname) from pg_catalog.pg_attribute a
          where a.attrelid = prrelid and a.attnum = any (prattrs::int2[])) as columns
      from pg_catalog.pg_publication_rel where oid = pr.oid) as detail`,
};

// The catalog pg_publication_namespace came with 15; pg_depend knows its rows without the statement naming it.
const publicationSchema: Part = {
  catalog: 'pg_publication',
  object: 'p.oid',
  sub: '-1',
  kind: `'publication schema'`,
  identity: `space.name || ' in ' || quote_ident(p.pubname)`,
  parent: 'quote_ident(p.pubname)',
  definition: `''`,
  from: `pg_catalog.pg_class c
    join pg_catalog.pg_depend d on d.classid = c.oid and d.refclassid = 'pg_catalog.pg_publication'::pg_catalog.regclass
    join pg_catalog.pg_publication p on p.oid = d.refobjid
    join pg_catalog.pg_depend s on s.classid = d.classid and s.objid = d.objid and s.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    join space on space.oid = s.refobjid`,
  where: `c.relname = 'pg_publication_namespace' and c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace`,
};

const foreignDataWrapper: Part = {
  catalog: 'pg_foreign_data_wrapper',
  object: 'f.oid',
  kind: `'foreign data wrapper'`,
  identity: 'quote_ident(f.fdwname)',
  definition: `concat_ws(' ', 'handler', f.fdwhandler::pg_catalog.regprocedure, 'validator', f.fdwvalidator::pg_catalog.regprocedure,
    'options (' || ${sortedOptions('f.fdwoptions')} || ')')`,
  acl: effectiveAcl('F', 'f.fdwacl', 'f.fdwowner'),
  from: 'pg_catalog.pg_foreign_data_wrapper f',
};

// User mappings are left out: they hold passwords, and only a superuser may read them.
const server: Part = {
  catalog: 'pg_foreign_server',
  object: 's.oid',
  kind: `'server'`,
  identity: 'quote_ident(s.srvname)',
  definition: `concat_ws(' ', 'wrapper', quote_ident(f.fdwname), 'type ' || quote_literal(s.srvtype), 'version ' || quote_literal(s.srvversion),
    'options (' || ${sortedOptions('s.srvoptions')} || ')')`,
  acl: effectiveAcl('S', 's.srvacl', 's.srvowner'),
  from: 'pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper f on f.oid = s.srvfdw',
};

const textSearchCatalogs = [
  {
    catalog: 'pg_ts_config',
    prefix: 'cfg',
    kind: 'configuration',
    definition: `concat_ws(' ', 'parser', (select x.prsname from pg_catalog.pg_ts_parser x where x.oid = t.cfgparser),
      (select string_agg(m.token || ': ' || m.dictionaries, '; ' order by m.token collate "C") from (
        select token.alias as token, string_agg(m.mapdict::pg_catalog.regdictionary::text, ', ' order by m.mapseqno) as dictionaries
        from pg_catalog.pg_ts_config_map m join pg_catalog.ts_token_type(t.cfgparser) as token on token.tokid = m.maptokentype
        where m.mapcfg = t.oid group by token.alias) as m))`,
  },
  {
    catalog: 'pg_ts_dict',
    prefix: 'dict',
    kind: 'dictionary',
    definition: `concat_ws(' ', 'template', (select x.tmplname from pg_catalog.pg_ts_template x where x.oid = t.dicttemplate), t.dictinitoption)`,
  },
  {
    catalog: 'pg_ts_parser',
    prefix: 'prs',
    kind: 'parser',
    definition: `concat_ws(' ', t.prsstart, t.prstoken, t.prsend, t.prsheadline, t.prslextype)`,
  },
  { catalog: 'pg_ts_template', prefix: 'tmpl', kind: 'template', definition: `concat_ws(' ', t.tmplinit, t.tmpllexize)` },
];

const textSearch = textSearchCatalogs.map(({ catalog, prefix, kind, definition }): Part => ({
  catalog,
  object: 't.oid',
  kind: `'text search ${kind}'`,
  identity: `space.name || '.' || quote_ident(t.${prefix}name)`,
  parent: 'space.name',
  definition,
  from: `pg_catalog.${catalog} t join space on space.oid = t.${prefix}namespace`,
}));

const conversion: Part = {
  catalog: 'pg_conversion',
  object: 'c.oid',
  kind: `'conversion'`,
  identity: `space.name || '.' || quote_ident(c.conname)`,
  parent: 'space.name',
  definition: `concat_ws(' ', pg_catalog.pg_encoding_to_char(c.conforencoding), 'to', pg_catalog.pg_encoding_to_char(c.contoencoding),
    'by', c.conproc, case when c.condefault then 'default' end)`,
  from: 'pg_catalog.pg_conversion c join space on space.oid = c.connamespace',
};

const accessMethod: Part = {
  catalog: 'pg_am',
  object: 'am.oid',
  kind: `'access method'`,
  identity: 'quote_ident(am.amname)',
  definition: `concat_ws(' ', case am.amtype when 't' then 'table' else 'index' end, 'handler', am.amhandler)`,
  from: 'pg_catalog.pg_am am',
  where: `am.oid >= ${firstUserOid}`,
};

const defaultPrivileges: Part = {
  catalog: 'pg_default_acl',
  object: 'd.oid',
  sub: '-1',
  kind: `'default privileges'`,
  identity: `concat_ws(' ', 'of', quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole)), 'on', case d.defaclobjtype
    when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas' else d.defaclobjtype::text end,
    'in ' || space.name)`,
  parent: `coalesce(space.name, '')`,
  definition: `coalesce((select string_agg(item.text, ', ' order by item.text collate "C") from pg_catalog.aclexplode(d.defaclacl) as a, lateral (
    select concat_ws(' ', a.privilege_type, 'to', case a.grantee when 0 then 'PUBLIC' else quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end,
      case when a.is_grantable then 'with grant option' end) as text) as item), '')`,
  from: 'pg_catalog.pg_default_acl d left join space on space.oid = d.defaclnamespace',
  where: 'd.defaclnamespace = 0 or space.oid is not null',
};

/** Schemas, and what stands in none. */
export const databaseWide: readonly Part[] = [
  schema,
  extension,
  publication,
  publicationTable,
  publicationSchema,
  foreignDataWrapper,
  server,
  ...textSearch,
  conversion,
  accessMethod,
  defaultPrivileges,
];
