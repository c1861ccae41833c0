import { lockNamespace } from '../lock.js';
import type { Tables } from '../history/index.js';
import { migrationId } from '../source/index.js';
import { literal } from '../sql.js';

/** The id of a recorded name, as SQL: what migrationId() does. */
export function idOf(column: string): string {
  return `pg_catalog.regexp_replace(${column}, E'\\\\.[cm]?[jt]s$', '')`;
}

/** The ids of migrations as an array in SQL. */
export function idsOf(names: readonly { readonly name: string }[]): string {
  return `array[${names.map(({ name }) => literal(migrationId(name))).join(', ')}]::text[]`;
}

/** The two numbers of the migration lock, as SQL: which schema it is of may be known to the server alone. See lockKey(). */
export function lockNumbers({ schema, names }: Tables): { namespace: number; key: string } {
  const place = schema === undefined ? `coalesce(pg_catalog.current_schema(), '')` : literal(schema);
  const digest = `pg_catalog.sha256(pg_catalog.convert_to(${place} || ${literal(`.${names.history}`)}, 'UTF8'))`;
  return { namespace: lockNamespace, key: `('x' || pg_catalog.encode(pg_catalog.substr(${digest}, 1, 4), 'hex'))::bit(32)::int` };
}

/** The journal's last word on each migration that is not a failed attempt; see readJournal(). A bare `id` in ORDER BY would be the output column. */
export function latestEntries({ journal }: Tables): string {
  return `(select distinct on (${idOf('migration')}) ${idOf('migration')} as id, detail from ${journal} entry
    where kind in ('attempt', 'stamp', 'repair') and migration is not null and detail ->> 'status'::text <> 'failed' order by ${idOf('migration')}, entry.id desc)`;
}
