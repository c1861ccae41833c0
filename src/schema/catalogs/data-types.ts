import { effectiveAcl, notMember, type Part } from './part.js';

// Row types of tables, array types and multiranges come and go with what they belong to.
const ownTypes = `pg_catalog.pg_type t join space on space.oid = t.typnamespace left join pg_catalog.pg_class c on c.oid = t.typrelid`;
const isOwnType = `t.typtype in ('e', 'd', 'r', 'b') and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid) or c.relkind = 'c'`;
const identity = `space.name || '.' || quote_ident(t.typname)`;

const composite = `(select string_agg(concat_ws(' ', quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
    case when a.attcollation <> at.typcollation then 'collate ' || a.attcollation::pg_catalog.regcollation end), ', ' order by a.attnum)
  from pg_catalog.pg_attribute a join pg_catalog.pg_type at on at.oid = a.atttypid
  where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)`;

const domain = `concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod),
  case when t.typcollation <> base.typcollation then 'collate ' || t.typcollation::pg_catalog.regcollation end,
  case when t.typnotnull then 'not null' end,
  'default ' || coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)))`;

const range = `(select concat_ws(' ', pg_catalog.format_type(r.rngsubtype, null),
    'class ' || quote_ident(o.opcname), 'collate ' || nullif(r.rngcollation, 0)::pg_catalog.regcollation,
    'canonical ' || nullif(r.rngcanonical::oid, 0)::pg_catalog.regprocedure,
    'difference ' || nullif(r.rngsubdiff::oid, 0)::pg_catalog.regprocedure,
    'multirange ' || pg_catalog.format_type(r.rngmultitypid, null))
  from pg_catalog.pg_range r join pg_catalog.pg_opclass o on o.oid = r.rngsubopc where r.rngtypid = t.oid)`;

// The regproc columns write themselves as names.
const base = `concat_ws(' ', case when not t.typisdefined then 'shell' end, 'input', t.typinput, 'output', t.typoutput,
  'receive', t.typreceive, 'send', t.typsend, 'modifier', t.typmodin, t.typmodout, 'analyze', t.typanalyze, 'length', t.typlen,
  'by value', t.typbyval, 'align', t.typalign, 'storage', t.typstorage, 'category', t.typcategory, t.typispreferred,
  'delimiter', t.typdelim, 'element', pg_catalog.format_type(nullif(t.typelem, 0), null), 'default ' || quote_literal(t.typdefault))`;

const type: Part = {
  catalog: 'pg_type',
  object: 't.oid',
  kind: `case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' when 'c' then 'composite type' else 'type' end`,
  identity,
  parent: 'space.name',
  definition: `case t.typtype
    when 'e' then (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid)
    when 'd' then (select ${domain} from pg_catalog.pg_type base where base.oid = t.typbasetype)
    when 'r' then ${range}
    when 'c' then ${composite}
    else ${base} end`,
  acl: effectiveAcl('T', 't.typacl', 't.typowner'),
  from: ownTypes,
  where: isOwnType,
};

// Only for their comments.
const attribute: Part = {
  catalog: 'pg_class',
  object: 'a.attrelid',
  sub: 'a.attnum',
  kind: `'attribute'`,
  identity: `${identity} || '.' || quote_ident(a.attname)`,
  parent: identity,
  definition: 'null',
  from: `${ownTypes} join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped`,
  where: `c.relkind = 'c'`,
};

const domainConstraint: Part = {
  catalog: 'pg_constraint',
  object: 'k.oid',
  kind: `'constraint'`,
  identity: `quote_ident(k.conname) || ' on ' || ${identity}`,
  parent: identity,
  definition: 'pg_catalog.pg_get_constraintdef(k.oid)',
  from: 'pg_catalog.pg_constraint k join pg_catalog.pg_type t on t.oid = k.contypid join space on space.oid = t.typnamespace',
  where: `k.contype = 'c' and ${notMember('pg_type', 't.oid')}`,
};

// The columns of the locale changed in 15, 16 and 17; as JSON they can be asked for in all.
const collation: Part = {
  catalog: 'pg_collation',
  object: 'c.oid',
  kind: `'collation'`,
  identity: `space.name || '.' || quote_ident(c.collname)`,
  parent: 'space.name',
  definition: `concat_ws(' ', 'provider', c.collprovider, case when not c.collisdeterministic then 'not deterministic' end,
    locale.name, nullif(c.collctype, locale.name), 'rules ' || (j ->> 'collicurules'))`,
  from: `pg_catalog.pg_collation c join space on space.oid = c.collnamespace cross join lateral pg_catalog.to_jsonb(c) as j
    cross join lateral (select coalesce(j ->> 'colllocale', j ->> 'colliculocale', c.collcollate) as name) as locale`,
};

const operator: Part = {
  catalog: 'pg_operator',
  object: 'o.oid',
  kind: `'operator'`,
  identity: 'o.oid::pg_catalog.regoperator::text',
  parent: 'space.name',
  definition: `concat_ws(' ', pg_catalog.format_type(o.oprresult, null), 'by', o.oprcode,
    'commutator ' || nullif(o.oprcom, 0)::pg_catalog.regoperator, 'negator ' || nullif(o.oprnegate, 0)::pg_catalog.regoperator,
    'restrict', o.oprrest, 'join', o.oprjoin, case when o.oprcanmerge then 'merges' end, case when o.oprcanhash then 'hashes' end)`,
  from: 'pg_catalog.pg_operator o join space on space.oid = o.oprnamespace',
};

const operatorFamily: Part = {
  catalog: 'pg_opfamily',
  object: 'f.oid',
  kind: `'operator family'`,
  identity: `space.name || '.' || quote_ident(f.opfname) || ' using ' || quote_ident(am.amname)`,
  parent: 'space.name',
  definition: `concat_ws(', ',
    (select string_agg(concat_ws(' ', o.amopstrategy, o.amopopr::pg_catalog.regoperator, o.amoppurpose), ', ' order by o.amopstrategy, o.amopopr::pg_catalog.regoperator::text collate "C")
      from pg_catalog.pg_amop o where o.amopfamily = f.oid),
    (select string_agg(concat_ws(' ', p.amprocnum, p.amproc::pg_catalog.regprocedure), ', ' order by p.amprocnum, p.amproc::pg_catalog.regprocedure::text collate "C")
      from pg_catalog.pg_amproc p where p.amprocfamily = f.oid))`,
  from: 'pg_catalog.pg_opfamily f join space on space.oid = f.opfnamespace join pg_catalog.pg_am am on am.oid = f.opfmethod',
};

const operatorClass: Part = {
  catalog: 'pg_opclass',
  object: 'o.oid',
  kind: `'operator class'`,
  identity: `space.name || '.' || quote_ident(o.opcname) || ' using ' || quote_ident(am.amname)`,
  parent: 'space.name',
  definition: `concat_ws(' ', 'for', pg_catalog.format_type(o.opcintype, null), 'family', quote_ident(f.opfname), case when o.opcdefault then 'default' end,
    'storage ' || pg_catalog.format_type(nullif(o.opckeytype, 0), null))`,
  from: `pg_catalog.pg_opclass o join space on space.oid = o.opcnamespace join pg_catalog.pg_am am on am.oid = o.opcmethod
    join pg_catalog.pg_opfamily f on f.oid = o.opcfamily`,
};

/** Types of every kind, and what gives them an order. */
export const dataTypes: readonly Part[] = [type, attribute, domainConstraint, collation, operator, operatorFamily, operatorClass];
