import type { BuiltInCheck } from './check.js';

/** Do all who look for the history by its bare name find the same table? knex looks in current_schema() only, the server along the search_path. */
export const searchPathAmbiguous: BuiltInCheck = {
  rule: 'search-path-ambiguous',
  async find({ call, tables, facts, query }) {
    if (call.config.migrations.schemaName !== undefined) return [];
    const table = tables.names.history;
    const rows = await query<{ schema: string }>(
      `select s.name as schema from pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality s (name, position)
       join pg_catalog.pg_namespace n on n.nspname = s.name
       join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = $1 and c.relkind in ('r', 'p', 'v', 'f')
       order by s.position`,
      [table],
    );
    const schemas = rows.map(({ schema }) => schema);
    if (schemas.length === 0 || (schemas.length === 1 && schemas[0] === facts.schema)) return [];
    const where = schemas.map((schema) => `"${schema}"`).join(' and ');
    const message = `the table "${table}" is in the schema ${where} of the search_path, where new tables go to "${facts.schema ?? 'no schema'}": knex and others may not mean the same one`;
    return [
      { message, remedy: 'Set migrations.schemaName to the schema whose history is the right one, and drop the other.', names: schemas },
    ];
  },
};
