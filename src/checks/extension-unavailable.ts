import { placeOf, type BuiltInCheck } from './check.js';

/** Are the extensions that pending migrations require (`config.requires.extensions`) there to be created? */
export const extensionUnavailable: BuiltInCheck = {
  rule: 'extension-unavailable',
  async find({ pending, query }) {
    const required = pending.flatMap((migration) => (migration.config.requires?.extensions ?? []).map((name) => ({ migration, name })));
    if (required.length === 0) return [];
    const rows = await query<{ name: string }>(
      `select name from pg_catalog.unnest($1::text[]) wanted (name)
       where name not in (select extname from pg_catalog.pg_extension) and name not in (select name from pg_catalog.pg_available_extensions)`,
      [[...new Set(required.map(({ name }) => name))]],
    );
    const missing = new Set(rows.map(({ name }) => name));
    return required
      .filter(({ name }) => missing.has(name))
      .map(({ migration, name }) => ({
        message: `${migration.name} requires the extension "${name}", which is neither in this database nor available on the server`,
        remedy: `Install "${name}" on the server; a managed service wants it allowed in its settings first.`,
        at: placeOf(migration),
        names: [name, migration.name],
      }));
  },
};
