import type { Facts } from '../history/index.js';
import { identifier } from '../sql.js';
import type { Asked } from './check.js';

/** A setting as it holds in this session, and where it comes from (`pg_settings.source`). */
export interface ServerSetting {
  readonly value: string;
  readonly source: string;
}

/** What several checks want to know of the server. */
export interface Server {
  /** Whether a transaction that begins now may not write. */
  readonly isReadOnly: boolean;
  readonly loginRole: string;
  readonly isSuperuser: boolean;
  /** A setting that this version does not have is missing. */
  readonly settings: Readonly<Record<string, ServerSetting>>;
  readonly clientCount: number;
  readonly clientCountOfDatabase: number;
  readonly clientCountOfRole: number;
  /** -1: no limit. */
  readonly databaseLimit: number;
  readonly roleLimit: number;
}

const settings = [
  'default_transaction_read_only',
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'reserved_connections', // PostgreSQL 16 and later
  'session_replication_role',
  'standard_conforming_strings',
  'statement_timeout',
  'superuser_reserved_connections',
  'track_activities',
  'transaction_timeout', // PostgreSQL 17 and later
];

/** Settings and connections of the server, in one query. */
export async function readServer(query: Asked['query']): Promise<Server> {
  // backend_type is hidden for sessions of other roles. What has a role and a database is a client then, or one of its parallel workers.
  const [server] = await query<Server>(
    `with clients as (
       select datname, usename from pg_catalog.pg_stat_activity
       where usesysid is not null and datid is not null and coalesce(backend_type, 'client backend') = 'client backend'
     )
     select pg_catalog.current_setting('transaction_read_only')::bool as "isReadOnly",
       session_user as "loginRole",
       r.rolsuper as "isSuperuser",
       (select pg_catalog.json_object_agg(name, pg_catalog.json_build_object('value', pg_catalog.current_setting(name), 'source', source))
        from pg_catalog.pg_settings where name = any ($1)) as settings,
       (select count(*)::int from clients) as "clientCount",
       (select count(*)::int from clients where datname = d.datname) as "clientCountOfDatabase",
       (select count(*)::int from clients where usename = session_user) as "clientCountOfRole",
       d.datconnlimit as "databaseLimit",
       r.rolconnlimit as "roleLimit"
     from pg_catalog.pg_database d, pg_catalog.pg_roles r
     where d.datname = pg_catalog.current_database() and r.rolname = session_user`,
    [settings],
  );
  if (!server) throw new Error('the catalogs have no row for this database or this role');
  return server;
}

/** A setting as a number; 0 where this version does not have it. */
export function numberOf({ settings }: Server, name: string): number {
  return Number(settings[name]?.value ?? 0);
}

/** What to do so that a setting has its default again, which depends on where it was set. */
export function resetRemedy({ settings, loginRole }: Server, name: string, { database }: Facts): string {
  const role = identifier(loginRole);
  switch (settings[name]?.source) {
    case 'user':
      return `Run: alter role ${role} reset ${name};`;
    case 'database':
      return `Run: alter database ${identifier(database)} reset ${name};`;
    case 'database user':
      return `Run: alter role ${role} in database ${identifier(database)} reset ${name};`;
    case 'client':
    case 'session':
      return `Take ${name} out of the connection's options, or out of knex's pool.afterCreate.`;
    default:
      return `Correct ${name} in the server's configuration, or run: alter role ${role} set ${name} = default;`;
  }
}
