import type { StatementEntry } from '../history/index.js';
import type { Session } from '../session/index.js';
import { qualified } from '../sql.js';

export type IndexState = 'none' | 'valid' | 'invalid';

/** How the index that a statement builds or drops stands in the catalog. `none` also for statements about something else. */
export async function readIndexState(session: Session, { index }: StatementEntry): Promise<IndexState> {
  if (!index) return 'none';
  const [row] = await session.query<{ valid: boolean }>(
    `select i.indisvalid and i.indisready as valid from pg_catalog.pg_index i
     where i.indexrelid = pg_catalog.to_regclass($1)::oid`,
    [nameOf(index)],
  );
  if (!row) return 'none';
  return row.valid ? 'valid' : 'invalid';
}

/** Drops an index that a concurrent build left invalid. Waits, as every concurrent drop, for the transactions that may use it. */
export async function dropInvalidIndex(session: Session, entry: StatementEntry): Promise<void> {
  if (entry.index && (await readIndexState(session, entry)) === 'invalid') {
    await session.send(`drop index concurrently if exists ${nameOf(entry.index)}`);
  }
}

// An index stands in the schema of its table; without one the search_path finds both.
function nameOf({ schema, name }: NonNullable<StatementEntry['index']>): string {
  return qualified(schema, name);
}
