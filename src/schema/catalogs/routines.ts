import { effectiveAcl, firstUserOid, type Part } from './part.js';

const identity = `space.name || '.' || quote_ident(p.proname) || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'`;
const from = 'pg_catalog.pg_proc p join space on space.oid = p.pronamespace';

// pg_get_functiondef() refuses aggregates. The regproc columns write themselves as names.
const aggregateDefinition = `(pg_catalog.to_jsonb(g) - 'aggfnoid' || pg_catalog.jsonb_build_object(
  'aggtranstype', pg_catalog.format_type(g.aggtranstype, null), 'aggmtranstype', pg_catalog.format_type(g.aggmtranstype, null),
  'aggsortop', g.aggsortop::pg_catalog.regoperator, 'result', pg_catalog.format_type(p.prorettype, null),
  'parallel', p.proparallel, 'arguments', pg_catalog.pg_get_function_arguments(p.oid)))::text`;

const routine: Part = {
  catalog: 'pg_proc',
  object: 'p.oid',
  kind: `case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end`,
  identity,
  parent: 'space.name',
  definition: `case p.prokind
    when 'a' then ${aggregateDefinition}
    else replace(pg_catalog.pg_get_functiondef(p.oid), coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), ''), '') end`,
  acl: effectiveAcl('f', 'p.proacl', 'p.proowner'),
  from: `${from} left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid`,
};

// A body that the server keeps parsed is written anew at each reading, and not in each version alike.
const routineBody: Part = {
  catalog: 'pg_proc',
  object: 'p.oid',
  sub: '-1',
  kind: `'function body'`,
  identity,
  parent: identity,
  definition: 'pg_catalog.pg_get_function_sqlbody(p.oid)',
  from,
  where: 'p.prosqlbody is not null',
};

const eventTrigger: Part = {
  catalog: 'pg_event_trigger',
  object: 'e.oid',
  kind: `'event trigger'`,
  identity: 'quote_ident(e.evtname)',
  definition: `concat_ws(' ', 'on', e.evtevent,
    'when tag in (' || (select string_agg(tag, ', ' order by tag collate "C") from unnest(e.evttags) as tag) || ')',
    'execute', e.evtfoid::pg_catalog.regprocedure,
    case e.evtenabled when 'D' then 'disabled' when 'R' then 'enabled replica' when 'A' then 'enabled always' end)`,
  from: 'pg_catalog.pg_event_trigger e',
};

const language: Part = {
  catalog: 'pg_language',
  object: 'l.oid',
  kind: `'language'`,
  identity: 'quote_ident(l.lanname)',
  definition: `concat_ws(' ', case when l.lanpltrusted then 'trusted' end, 'handler', l.lanplcallfoid::pg_catalog.regprocedure,
    'inline', l.laninline::pg_catalog.regprocedure, 'validator', l.lanvalidator::pg_catalog.regprocedure)`,
  acl: effectiveAcl('l', 'l.lanacl', 'l.lanowner'),
  from: 'pg_catalog.pg_language l',
  where: `l.oid >= ${firstUserOid}`,
};

const cast: Part = {
  catalog: 'pg_cast',
  object: 'c.oid',
  kind: `'cast'`,
  identity: `'(' || pg_catalog.format_type(c.castsource, null) || ' as ' || pg_catalog.format_type(c.casttarget, null) || ')'`,
  definition: `concat_ws(' ',
    case c.castmethod when 'f' then 'with function ' || c.castfunc::pg_catalog.regprocedure when 'i' then 'with inout' else 'without function' end,
    case c.castcontext when 'a' then 'as assignment' when 'i' then 'as implicit' end)`,
  from: 'pg_catalog.pg_cast c',
  where: `c.oid >= ${firstUserOid}`,
};

const transform: Part = {
  catalog: 'pg_transform',
  object: 't.oid',
  kind: `'transform'`,
  identity: `pg_catalog.format_type(t.trftype, null) || ' for ' || quote_ident(l.lanname)`,
  definition: `concat_ws(' ', 'from', t.trffromsql::pg_catalog.regprocedure, 'to', t.trftosql::pg_catalog.regprocedure)`,
  from: 'pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = t.trflang',
};

/** Functions, procedures, aggregates, and what calls them by itself. */
export const routines: readonly Part[] = [routine, routineBody, eventTrigger, language, cast, transform];
