import type { Call } from './call.js';
import { readJournal, type History, type JournalEntry, type Tables } from './history/index.js';
import type { Session } from './session/index.js';
import { migrationId, type Migration } from './source/index.js';
import { compare, type State } from './state.js';

export interface StateRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly migrations: readonly Migration[];
  readonly history: History;
  /** The ids of unfinished migrations that can simply be run again, which are left out. Asked only under the lock. */
  readonly resumable?: (entries: readonly JournalEntry[]) => Promise<ReadonlySet<string>>;
}

/**
 * Compares, and reads more only where that decides something: the journal when a checksum differs or an unknown migration may be
 * compatible, the tables of the schema when there is no history. Takes no lock, writes nothing.
 */
export async function readState(request: StateRequest): Promise<State & { readonly journal: readonly JournalEntry[] }> {
  const { call, migrations, history, resumable } = request;
  const { mode, rules } = call.config;
  const compared = { migrations, applied: history.applied, owner: history.owner, mode, rules };
  const unmanaged = isFresh(request) ? await readUnmanaged(request) : [];
  const first = compare({ ...compared, unmanaged, journal: history.journal === 'known' ? undefined : [] });
  if (!resumable && !first.undecided && first.settled) return { ...first, journal: [] };
  const journal = history.journal === 'known' ? await readJournal(request.session, request.tables) : [];
  const again = await resumable?.(journal);
  return {
    ...compare({ ...compared, unmanaged, journal: journal.filter(({ migration }) => !again?.has(migrationId(migration))) }),
    journal,
  };
}

// A history that knex has made and not yet used says nothing of the tables that are there.
function isFresh({ history, call }: StateRequest): boolean {
  return history.applied === undefined || (history.applied.length === 0 && call.config.baseline !== undefined);
}

// Ordinary tables of the history's schema that no extension owns. Another history table there, of knex's shape, accounts for all of them.
async function readUnmanaged({ session, tables, history: { facts } }: StateRequest): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `with tables as (
       select c.oid, c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> all ($2)
         and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass::oid and d.objid = c.oid and d.deptype = 'e')
     ), histories as (
       select attrelid from pg_catalog.pg_attribute
       where attrelid in (select oid from tables) and attname in ('id', 'name', 'batch', 'migration_time') group by attrelid having count(*) = 4
     )
     select name from tables where not exists (select from histories) order by name`,
    [tables.schema ?? facts.schema, Object.values(tables.names)],
  );
  return rows.map(({ name }) => name);
}
