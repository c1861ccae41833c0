import { messageOf, MigrationError, sqlStateOf } from '../errors.js';
import { urlTo } from './url.js';
import { identifier } from '../sql.js';
import { openLink, type Link } from './link.js';
import { lockNumber, lockSpaces } from './names.js';

/** Where a run makes and drops its databases: one connection, to the database that the server's URL names. That database is not changed. */
export interface Desk {
  readonly link: Link;
  readonly run: string;
  readonly facts: DeskFacts;
  /** The URL of another database, for the same role. */
  urlOf(database: string): string;
}

export interface DeskFacts {
  /** Of the database of the connection, where the locks are. */
  readonly oid: string;
  readonly serverVersion: number;
  readonly user: string;
  /** May make databases. */
  readonly mayMake: boolean;
  /** May leave triggers and foreign keys out of it while rows are put back. */
  readonly mayMend: boolean;
  readonly superuser: boolean;
  /** Files are copied where nothing waits for a disk, and logged where it does: the other way round costs five times as much. */
  readonly strategy: 'file_copy' | 'wal_log' | null;
}

const factsSql = `select d.oid::text as oid, pg_catalog.pg_backend_pid() as pid, session_user as user,
    pg_catalog.current_setting('server_version_num')::int as "serverVersion", r.rolsuper as superuser, r.rolcreatedb or r.rolsuper as "mayMake",
    case when pg_catalog.current_setting('server_version_num')::int >= 150000
      then case pg_catalog.current_setting('fsync') when 'on' then 'wal_log' else 'file_copy' end end as strategy
  from pg_catalog.pg_database d, pg_catalog.pg_roles r where d.datname = pg_catalog.current_database() and r.rolname = session_user`;

export interface DeskRequest {
  readonly url: string;
  readonly run: string;
  /** `owner` holds the lock that says that the run is alive, for as long as the desk is open. A `guest` is one of its processes. */
  readonly as: 'owner' | 'guest';
}

/** Connects to the server. Throws EM_TEST_SERVER where that fails, where the role may not make databases, and through a pooler. */
export async function openDesk({ url, run, as }: DeskRequest): Promise<Desk> {
  const link = await connect(url);
  try {
    const facts = await readFacts(link);
    if (as === 'owner') await link.query(`select pg_catalog.pg_advisory_lock(${lockSpaces.run}, ${lockNumber(run)})`);
    return { link, run, facts, urlOf: (database) => urlTo(url, database) };
  } catch (error) {
    await link.close();
    throw error;
  }
}

async function connect(url: string): Promise<Link> {
  try {
    return await openLink(url);
  } catch (cause) {
    // A tests' URL often names a database that a test would have made: any other of the server will do.
    if (sqlStateOf(cause) === '3D000' && urlTo(url, 'postgres') !== url) return await connect(urlTo(url, 'postgres'));
    throw new MigrationError('EM_TEST_SERVER', `the server for the tests cannot be connected to: ${messageOf(cause)}`, { cause });
  }
}

async function readFacts(link: Link): Promise<DeskFacts> {
  const [facts] = await link.query<Omit<DeskFacts, 'mayMend'> & { readonly pid: number }>(factsSql);
  if (facts === undefined) throw new MigrationError('EM_TEST_SERVER', 'the server for the tests says nothing of itself');
  if (facts.pid !== link.processId) {
    throw new MigrationError('EM_TEST_SERVER', 'test databases cannot be made through a connection pooler', {
      remedy: 'Give the tests a URL that leads to the server itself.',
    });
  }
  if (facts.mayMake) return { ...facts, mayMend: facts.superuser || (await readMayMend(link, facts.serverVersion)) };
  throw new MigrationError('EM_TEST_SERVER', `the role ${identifier(facts.user)} may not make databases for the tests`, {
    remedy: `Let a superuser run: alter role ${identifier(facts.user)} createdb; Or unset DATABASE_URL: an embedded PostgreSQL is started then.`,
  });
}

// PostgreSQL 14 knows no rights on settings, nor the function that asks for them.
async function readMayMend(link: Link, serverVersion: number): Promise<boolean> {
  if (serverVersion < 150_000) return false;
  const [row] = await link.query<{ may: boolean }>(`select pg_catalog.has_parameter_privilege('session_replication_role', 'set') as may`);
  return row?.may ?? false;
}
