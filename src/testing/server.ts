import pg from 'pg';
import { startEmbedded } from '../embedded.js';
import { messageOf, MigrationError } from '../errors.js';

export interface ServerOptions {
  /** A server to work on: the role needs CREATEDB. Its database is only connected to; it is never changed. */
  readonly url?: string | undefined;
  /** Starts an embedded PostgreSQL of this major version, whatever the environment says. */
  readonly postgres?: number | undefined;
  /** Settings of an embedded server. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** `tcp` lets an embedded server listen on a free port of 127.0.0.1, for drivers that know no Unix sockets. Default `socket`. */
  readonly listen?: 'tcp' | 'socket' | undefined;
}

/** Where the test databases are made. */
export interface TestServer {
  readonly url: string;
  /** Ours: it ends with this process. */
  readonly embedded: boolean;
  /** Stops and deletes an embedded server. */
  remove(): Promise<void>;
}

/**
 * The server for tests: `url`, else (unless `postgres` is given) DATABASE_URL or the PG* variables, else an embedded one in memory, which is
 * gone within a second of the end of this process, kill -9 included. Throws EM_TEST_SERVER where there is none.
 */
export async function openServer(options: ServerOptions): Promise<TestServer> {
  const url = options.url ?? (options.postgres === undefined ? urlOfEnvironment() : undefined);
  return url === undefined ? await embed(options) : { url, embedded: false, remove: async () => undefined };
}

function urlOfEnvironment(): string | undefined {
  const { DATABASE_URL, PGHOST, PGPORT, PGUSER, PGDATABASE } = process.env;
  if (DATABASE_URL) return DATABASE_URL;
  return PGHOST || PGPORT || PGUSER || PGDATABASE ? urlOfPg() : undefined;
}

// What pg makes of the PG* variables. It looks for a password in ~/.pgpass again at each connect.
function urlOfPg(): string {
  const { user, password, host, port, database } = new pg.Client();
  const part = (text: string | null | undefined) => encodeURIComponent(text ?? '');
  return `postgres://${part(user)}${password ? `:${part(password)}` : ''}@${part(host)}:${port}/${part(database)}`;
}

// Nothing is worth keeping there, and nobody replicates from it.
const settings = { max_connections: 200, max_prepared_transactions: 20, wal_level: 'minimal', max_wal_senders: 0 };

async function embed({ postgres, listen = 'socket', ...options }: ServerOptions): Promise<TestServer> {
  try {
    const server = await startEmbedded({ major: postgres, listen, settings: { ...settings, ...options.settings } });
    const url = process.env['PGSSLMODE'] ? `${server.url}?sslmode=disable` : server.url; // it is about another server
    return { url, embedded: true, remove: async () => await server.remove() };
  } catch (cause) {
    throw new MigrationError('EM_TEST_SERVER', `no PostgreSQL for the tests: ${messageOf(cause)}`, { cause });
  }
}
