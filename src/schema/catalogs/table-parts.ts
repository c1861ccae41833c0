import type { Part } from './part.js';

const indexDefinition = `concat_ws(' ', pg_catalog.pg_get_indexdef(i.indexrelid),
  case when not i.indisvalid then 'invalid' end,
  case when i.indisclustered then 'clustered' end,
  case when i.indisreplident then 'replica identity' end,
  'tablespace ' || quote_ident(ts.spcname),
  'statistics ' || target.list)`;

// Joins instead of subqueries for each row: beyond an estimated cost of 100000 the server would compile the statement (jit), for half a second.
const indexTables = `pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  left join pg_catalog.pg_tablespace ts on ts.oid = ic.reltablespace
  left join (select a.attrelid, string_agg(a.attnum || ':' || a.attstattarget, ' ' order by a.attnum) as list
    from pg_catalog.pg_attribute a where a.attnum > 0 and a.attstattarget >= 0 group by a.attrelid) as target on target.attrelid = i.indexrelid`;

// A key is one object with its index, whose options (INCLUDE, WITH, operator classes) pg_get_constraintdef() leaves out.
const constraint: Part = {
  catalog: 'pg_constraint',
  object: 'k.oid',
  kind: `'constraint'`,
  identity: `quote_ident(k.conname) || ' on ' || relation.identity`,
  parent: 'relation.identity',
  definition: `concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid),
    'by ' || case when i.indexrelid is not null then ${indexDefinition} end,
    case when k.oid in (select t.tgconstraint from pg_catalog.pg_trigger t where t.tgisinternal and t.tgenabled <> 'O') then 'triggers disabled' end)`,
  from: `pg_catalog.pg_constraint k join relation on relation.oid = k.conrelid
    left join (${indexTables}) on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x')`,
  // What a partition or a child has from its parent is listed with the parent.
  where: `k.contype in ('p', 'u', 'x', 'f', 'c') and k.conparentid = 0 and (k.conislocal or k.contype <> 'c')`,
};

const index: Part = {
  catalog: 'pg_class',
  object: 'i.indexrelid',
  kind: `'index'`,
  identity: `quote_ident(ic.relname) || ' on ' || relation.identity`,
  parent: 'relation.identity',
  definition: `case when k.oid is null then ${indexDefinition} end`,
  from: `${indexTables} join relation on relation.oid = i.indrelid
    left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')`,
  where: 'not ic.relispartition',
};

// A partition's copy of a trigger is listed only where it was switched apart from its parent. 14 marks such copies as internal, 15 does not.
const trigger: Part = {
  catalog: 'pg_trigger',
  object: 't.oid',
  kind: `'trigger'`,
  identity: `quote_ident(t.tgname) || ' on ' || relation.identity`,
  parent: 'relation.identity',
  definition: `concat_ws(' ', pg_catalog.pg_get_triggerdef(t.oid),
    case t.tgenabled when 'D' then 'disabled' when 'R' then 'enabled replica' when 'A' then 'enabled always' end)`,
  from: `pg_catalog.pg_trigger t join relation on relation.oid = t.tgrelid left join pg_catalog.pg_trigger parent on parent.oid = t.tgparentid`,
  where: `case when parent.oid is null then not t.tgisinternal else not parent.tgisinternal and t.tgenabled <> parent.tgenabled end`,
};

const rule: Part = {
  catalog: 'pg_rewrite',
  object: 'w.oid',
  kind: `'rule'`,
  identity: `quote_ident(w.rulename) || ' on ' || relation.identity`,
  parent: 'relation.identity',
  definition: `concat_ws(' ', pg_catalog.pg_get_ruledef(w.oid),
    case w.ev_enabled when 'D' then 'disabled' when 'R' then 'enabled replica' when 'A' then 'enabled always' end)`,
  from: 'pg_catalog.pg_rewrite w join relation on relation.oid = w.ev_class',
  where: `w.rulename <> '_RETURN'`,
};

const policy: Part = {
  catalog: 'pg_policy',
  object: 'p.oid',
  kind: `'policy'`,
  identity: `quote_ident(p.polname) || ' on ' || relation.identity`,
  parent: 'relation.identity',
  definition: `concat_ws(' ',
    case when p.polpermissive then 'permissive' else 'restrictive' end,
    'for', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
    'to', (select string_agg(role.name, ', ' order by role.name collate "C") from unnest(p.polroles) as r,
      lateral (select case r when 0 then 'PUBLIC' else quote_ident(pg_catalog.pg_get_userbyid(r)) end as name) as role),
    'using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
    'with check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')`,
  from: 'pg_catalog.pg_policy p join relation on relation.oid = p.polrelid',
};

const statistics: Part = {
  catalog: 'pg_statistic_ext',
  object: 's.oid',
  kind: `'statistics'`,
  identity: `space.name || '.' || quote_ident(s.stxname)`,
  parent: 'relation.identity',
  definition: `concat_ws(' ', pg_catalog.pg_get_statisticsobjdef(s.oid), case when s.stxstattarget >= 0 then 'statistics ' || s.stxstattarget end)`,
  from: 'pg_catalog.pg_statistic_ext s join space on space.oid = s.stxnamespace join relation on relation.oid = s.stxrelid',
};

/** What stands on a table and goes with it. */
export const tableParts: readonly Part[] = [constraint, index, trigger, rule, policy, statistics];
