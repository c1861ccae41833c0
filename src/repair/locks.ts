import { sqlStateOf } from '../errors.js';
import { asUnreadable, readHistory, type LockKey, type Owner, type Tables } from '../history/index.js';
import { readHolder, type Holder } from '../lock.js';
import type { Session } from '../session/index.js';
import { excerptOf } from '../sql.js';

/** A session of this database that may be knex at work. */
export interface Suspect {
  readonly pid: number;
  readonly application: string;
  readonly host: string | null;
  readonly state: string | null;
  readonly statement: string | null;
}

/** Both locks: who holds ours, and what knex's row says. */
export interface Locks {
  /** The session that holds the migration lock. */
  readonly holder: Holder | undefined;
  /** Whether knex's lock row is set. */
  readonly isLocked: boolean;
  /** Who has set it: a run of ensure-migrated (dead, where there is no holder), or somebody else: knex, or a person. */
  readonly setBy: 'ensure-migrated' | 'knex' | undefined;
  /** The last run of ensure-migrated here. */
  readonly owner: Pick<Owner, 'state' | 'application' | 'host' | 'processId' | 'since' | 'migration'> | undefined;
  /** Sessions that may be a knex at work; looked for only where knex has set its row. */
  readonly suspects: readonly Suspect[];
  /** xmin of the row that is set. */
  readonly flag: string | undefined;
}

export interface LockPlace {
  readonly session: Session;
  readonly tables: Tables;
  readonly key: LockKey;
}

/** Reads both locks. Takes none, writes nothing. */
export async function readLocks({ session, tables, key }: LockPlace): Promise<Locks> {
  const holder = await readHolder(session, key);
  const flag = await readFlag(session, tables);
  const { owner } = await readHistory(session, tables); // after the row: who has set it has said so before
  const setBy = flag === undefined ? undefined : owner?.state === 'active' && owner.flag === flag ? 'ensure-migrated' : 'knex';
  return Object.freeze({
    holder: holder && Object.freeze({ ...holder, migration: owner?.migration, step: owner?.step, of: owner?.of }),
    isLocked: flag !== undefined,
    setBy,
    owner: owner && Object.freeze(toldOf(owner)),
    suspects: Object.freeze(setBy === 'knex' ? await readSuspects(session, tables) : []),
    flag,
  });
}

/**
 * Whether somebody else than a run of ensure-migrated has set knex's lock row: one round trip where it is not set. The row is read again at
 * the end, since a run of ours that ends in between is no knex.
 */
export async function isSetByKnex(session: Session, tables: Tables): Promise<boolean> {
  const flag = await readFlag(session, tables);
  if (flag === undefined) return false;
  const { owner } = await readHistory(session, tables);
  if (owner?.state === 'active' && owner.flag === flag) return false;
  return (await readFlag(session, tables)) === flag;
}

function toldOf({ state, application, host, processId, since, migration }: Owner): NonNullable<Locks['owner']> {
  return { state, application, host, processId, since, ...(migration !== undefined && { migration }) };
}

async function readFlag(session: Session, tables: Tables): Promise<string | undefined> {
  try {
    const [row] = await session.query<{ flag: string }>(`select xmin::text as flag from ${tables.lock} where is_locked = 1 limit 1`);
    return row?.flag;
  } catch (error) {
    if (/^(42P01|3F000)$/.test(sqlStateOf(error) ?? '')) return undefined; // neither knex nor we have ever been here
    throw await asUnreadable({ session, tables }, error);
  }
}

/**
 * knex leaves its row set only where its migrations do not share one transaction with it (knex 3, Migrator#latest), so nothing ties the row to a
 * session. What gives a knex at work away: a lock of the kind that only schema changes take, or a last statement that names knex's tables or
 * changes a schema. What this role may not see is no suspect.
 */
export async function readSuspects(session: Session, { names }: Tables): Promise<Suspect[]> {
  const rows = await session.query<Suspect>(
    `select a.pid, a.application_name as application, pg_catalog.host(a.client_addr) as host, a.state, a.query as statement
     from pg_catalog.pg_stat_activity a
     where a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
       and a.application_name not like 'ensure-migrated/%'
       and (a.query ~* '^\\s*(create|alter|drop|comment|reindex|truncate)\\s' or pg_catalog.strpos(a.query, $1) > 0 or pg_catalog.strpos(a.query, $2) > 0
            or exists (select from pg_catalog.pg_locks l where l.pid = a.pid and l.locktype = 'relation'
                         and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')))
     order by a.pid`,
    [names.lock, names.history],
  );
  return rows.map((row) => Object.freeze({ ...row, statement: row.statement && excerptOf(row.statement) }));
}
