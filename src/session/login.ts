import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { Connect, PgConfig } from '../config/index.js';
import { given } from './connect.js';

/** Where pg connects and as whom, with all that it reads from a URL and from the PG* variables: for a program that is not pg. */
export interface Login {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  /** Undefined: a password file, or none is needed. */
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly ssl: boolean | ConnectionOptions;
  /** As in PGOPTIONS. */
  readonly options: string | undefined;
  /** Whether pg is given a socket by the user (a cloud connector), so that nobody else can connect in this way. */
  readonly ownStream: boolean;
}

interface Resolved {
  readonly connectionParameters: {
    readonly host: string;
    readonly port: number;
    readonly user?: string;
    readonly password?: unknown;
    readonly database?: string;
    readonly ssl?: boolean | ConnectionOptions;
    readonly options?: string;
  };
}

/** Asks for the credentials anew, since they may rotate. Connects to nothing; throws what the user's functions throw, EM_CONNECT_TIMEOUT where they hang. */
export async function readLogin(source: Connect): Promise<Login> {
  const { stream, ...config } = (await given(source)) as PgConfig & { stream?: unknown };
  const { connectionParameters } = new pg.Client(config) as unknown as Resolved; // it resolves by itself, and does not connect
  const { host, port, user, password, database, ssl, options } = connectionParameters;
  const secret = typeof password === 'function' ? await given(async () => await (password as () => unknown)()) : password;
  return {
    host,
    port,
    user,
    password: typeof secret === 'string' && secret !== '' ? secret : undefined,
    database,
    ssl: ssl ?? false,
    options,
    ownStream: stream !== undefined,
  };
}

/** The same server, user and options, but another database. A URL is resolved: what it says of the database would beat a key beside it. */
export function atDatabase(source: Connect, name: string): Connect {
  return async () => {
    const { connectionString: _, ...config } = await given(source);
    const { host, port, user, password, ssl, options } = await readLogin(source);
    return { ...config, host, port, user, password, ssl, options, database: name };
  };
}
