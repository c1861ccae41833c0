import { identifier, qualified } from '../sql.js';
import type { Asked, BuiltInCheck, Found } from './check.js';

/** May this role make and use the tables of the history? */
export const rolePrivileges: BuiltInCheck = {
  rule: 'role-privileges',
  async find(asked) {
    const { tables, facts } = asked;
    const name = tables.schema ?? facts.schema;
    if (name === null) return [noSchema(facts.user)];
    const schema = await readSchema(asked, name);
    if (schema === undefined) return [missingSchema(name, facts.user)];
    return [...findLack(schema, asked), ...findNoRoom(schema, asked)];
  },
};

interface Schema {
  readonly name: string;
  readonly usage: boolean;
  readonly create: boolean;
  readonly tables: readonly Table[];
}

interface Table {
  readonly name: string;
  /** Privileges that the role has. */
  readonly granted: readonly string[];
  /** Sequences behind its defaults that the role may not use. */
  readonly deniedSequences: readonly string[];
}

// By oid throughout: a name cannot be looked up in a schema without USAGE.
async function readSchema({ query, tables }: Asked, name: string): Promise<Schema | undefined> {
  const [schema] = await query<Schema>(
    `select n.nspname as name, pg_catalog.has_schema_privilege(n.oid, 'usage') as usage, pg_catalog.has_schema_privilege(n.oid, 'create') as create,
       coalesce((
         select pg_catalog.json_agg(pg_catalog.json_build_object('name', c.relname,
           'granted', (select coalesce(pg_catalog.json_agg(p), '[]') from pg_catalog.unnest(array['select', 'insert', 'update', 'delete']) p
                       where pg_catalog.has_table_privilege(c.oid, p)),
           'deniedSequences', (select coalesce(pg_catalog.json_agg(s.relname), '[]') from pg_catalog.pg_depend d
                               join pg_catalog.pg_class s on s.oid = d.objid
                               where d.classid = 'pg_catalog.pg_class'::regclass::oid and d.refobjid = c.oid and d.deptype = 'a'
                                 and case s.relkind when 'S' then not pg_catalog.has_sequence_privilege(s.oid, 'usage') else false end)))
         from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relname = any ($2) and c.relkind in ('r', 'p', 'v', 'f')
       ), '[]') as tables
     from pg_catalog.pg_namespace n where n.nspname = $1`,
    [name, neededOf(tables)],
  );
  return schema;
}

function noSchema(user: string): Found {
  const message = `no schema of the search_path is there for the role "${user}": nothing can be created without a schema`;
  return { message, remedy: `Set migrations.schemaName, or run: grant usage, create on schema public to ${identifier(user)};` };
}

function missingSchema(name: string, user: string): Found {
  const remedy = `Run: create schema ${identifier(name)} authorization ${identifier(user)};`;
  return { message: `the schema "${name}" of the history does not exist, and neither knex nor ensure-migrated creates it`, remedy };
}

// Those of backfills are made by the first migration that enqueues one.
function neededOf({ names: { history, lock, journal } }: Asked['tables']): string[] {
  return [history, lock, journal];
}

// All of it in one finding, so that one run of its remedy is enough.
function findLack(schema: Schema, { tables, facts }: Asked): Found[] {
  const { history, lock, journal } = tables.names;
  const needs: [string, readonly string[]][] = [
    [history, ['select', 'insert']],
    [lock, ['select', 'insert', 'update', 'delete']], // insert and delete to repair one with no or several rows
    [journal, ['select', 'insert', 'update']], // update for the owner row
  ];
  const grants = [...schemaGrants(schema, needs.length), ...needs.flatMap(([name, needed]) => tableGrants(schema, name, needed))];
  if (grants.length === 0) return [];
  const user = identifier(facts.user);
  const statements = grants.map((grant) => `grant ${grant} to ${user};`).join(' ');
  return [{ message: `the role "${facts.user}" may not ${grants.join(', nor ')}`, remedy: `Run as the owner: ${statements}` }];
}

function schemaGrants({ name, usage, create, tables }: Schema, wantedCount: number): string[] {
  const lacking = [...(usage ? [] : ['usage']), ...(create || tables.length === wantedCount ? [] : ['create'])];
  return lacking.length === 0 ? [] : [`${lacking.join(', ')} on schema ${identifier(name)}`];
}

function tableGrants({ name: schema, tables }: Schema, name: string, needed: readonly string[]): string[] {
  const table = tables.find((each) => each.name === name);
  if (table === undefined) return [];
  const lacking = needed.filter((privilege) => !table.granted.includes(privilege));
  return [
    ...(lacking.length === 0 ? [] : [`${lacking.join(', ')} on ${qualified(schema, name)}`]),
    ...table.deniedSequences.map((sequence) => `usage on sequence ${qualified(schema, sequence)}`),
  ];
}

// Not needed for the history once its tables are there; migrations may do well without it, or not.
function findNoRoom({ name, create, tables: { length } }: Schema, { tables, facts, pending }: Asked): Found[] {
  if (create || length < neededOf(tables).length || pending.length === 0) return [];
  const message = `the role "${facts.user}" may not create anything in the schema "${name}", as a pending migration may want to`;
  const remedy = `Where it does, run as the owner: grant create on schema ${identifier(name)} to ${identifier(facts.user)};`;
  return [{ message, remedy, level: 'warn' }];
}
