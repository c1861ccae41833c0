import type { ConnectionOptions } from 'node:tls';
import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { isPlainObject, kindOf, refuse, suggestion, within, type Place } from './values.js';

/** What pg needs to connect. Any client configuration of pg is one; pg reads the PG* variables for what is left out. */
export interface PgConfig {
  connectionString?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  user?: string | undefined;
  /** A function is asked at each connect. */
  password?: string | (() => string | Promise<string>) | undefined;
  database?: string | undefined;
  ssl?: boolean | ConnectionOptions | undefined;
  sslnegotiation?: 'postgres' | 'direct' | undefined;
  enableChannelBinding?: boolean | undefined;
  application_name?: string | undefined;
  fallback_application_name?: string | undefined;
  options?: string | undefined;
  client_encoding?: string | undefined;
  keepAlive?: boolean | undefined;
  keepAliveInitialDelayMillis?: number | undefined;
  connectionTimeoutMillis?: number | undefined;
  statement_timeout?: false | number | undefined;
  query_timeout?: number | undefined;
  lock_timeout?: number | undefined;
  idle_in_transaction_session_timeout?: number | undefined;
}

/**
 * A URL, a configuration of pg, or a function that gives either and is asked before each connect (rotating credentials).
 * @pattern ^([Pp][Gg]|[Pp][Oo][Ss][Tt][Gg][Rr][Ee][Ss]|[Pp][Oo][Ss][Tt][Gg][Rr][Ee][Ss][Qq][Ll])://|^[Ss][Oo][Cc][Kk][Ee][Tt]:|^/
 */
export type ConnectionInput = string | PgConfig | (() => Promise<string | PgConfig> | string | PgConfig);

/** Gives the settings for one connect. Throws what the user's function throws, and EM_CONFIG_INVALID when it gives no connection. */
export type Connect = () => Promise<PgConfig>;

// Listed to find typing errors, which pg passes over in silence. Includes what a pool's and knex's configuration may hold.
const knownKeys = [
  ...['connectionString', 'host', 'port', 'user', 'password', 'database', 'ssl', 'sslnegotiation', 'enableChannelBinding'],
  ...['application_name', 'fallback_application_name', 'options', 'client_encoding', 'types', 'stream', 'binary', 'replication'],
  ...['keepAlive', 'keepAliveInitialDelayMillis', 'connectionTimeoutMillis', 'statement_timeout', 'query_timeout', 'lock_timeout'],
  ...['idle_in_transaction_session_timeout', 'pipeline', 'scramMaxIterations', 'Promise', 'max', 'min', 'idleTimeoutMillis'],
  ...['maxUses', 'maxLifetimeSeconds', 'allowExitOnIdle', 'log', 'verify', 'onConnect', 'Client', 'expirationChecker'],
];

const urlExpected = 'a URL such as postgres://user@host:5432/database, with the special characters of its password percent-encoded';

/** Reads a connection. Never shows the value: it may hold a password. */
export function readConnection(value: unknown, place: Place): Connect | undefined {
  if (typeof value === 'function') return async () => checkedConnection(await (value as () => unknown)(), place.path);
  const settings = readSettings(value, place);
  return settings && givingCopiesOf(settings);
}

// pg and its pool change the objects that they are given, and the user may change this one after the call.
function givingCopiesOf(settings: PgConfig): Connect {
  const kept = copyOf(settings);
  return () => Promise.resolve(copyOf(kept));
}

// knex, and a pool in its `options`, hide the password from enumeration, and a spread would lose it.
function copyOf(settings: PgConfig): PgConfig {
  return settings.password === undefined ? { ...settings } : { ...settings, password: settings.password };
}

function checkedConnection(value: unknown, path: string): PgConfig {
  const problems: string[] = [];
  const settings = readSettings(value, { path: `${path}()`, problems });
  if (settings) return copyOf(settings);
  throw new MigrationError('EM_CONFIG_INVALID', problems.join('\n'));
}

function readSettings(value: unknown, place: Place): PgConfig | undefined {
  if (value instanceof URL) return readUrl(value.href, place);
  if (typeof value === 'string') return readUrl(value, place);
  if (!isPlainObject(value)) return refuse(place, 'a URL, a configuration of pg, or a function giving either', kindOf(value));
  return readPgConfig(value, place);
}

function readUrl(url: string, place: Place): PgConfig | undefined {
  if (isReadableByPg(url)) return { connectionString: url };
  const [scheme] = /^[a-z][a-z0-9+.-]*:(?=\/\/)/i.exec(url) ?? [];
  const given = url === '' ? 'empty text' : scheme && !pgScheme.test(url) ? `one that begins with "${scheme}"` : 'text that is none';
  return refuse(place, urlExpected, given);
}

// As pg does, whose URL parser knows no case of a scheme. The pattern above says the same: a JSON Schema has no flag for it.
const pgScheme = /^(?:postgres|postgresql|pg):\/\/|^socket:/i;

// pg would take any other text for the name of a database on localhost, and shows the whole URL in its error when it cannot be parsed.
function isReadableByPg(url: string): boolean {
  if (url.startsWith('/')) return true; // the directory of a Unix socket
  return pgScheme.test(url) && URL.canParse(url.replace('@/', '@localhost/'));
}

function readPgConfig(settings: Record<string, unknown>, place: Place): PgConfig | undefined {
  const before = place.problems.length;
  refuseMisspeltKeys(settings, place);
  if (typeof settings['connectionString'] === 'string') readUrl(settings['connectionString'], within(place, 'connectionString'));
  if (!namesDatabase(settings)) refuse(place, 'a connectionString, host, user or database', `none of them${unsetKeys(settings)}`);
  return place.problems.length === before ? settings : undefined;
}

// A key that resembles none is handed to pg: a newer pg may know it.
function refuseMisspeltKeys(settings: object, place: Place): void {
  for (const key of Object.keys(settings).filter((key) => !knownKeys.includes(key))) {
    const hint = suggestion(key, knownKeys);
    if (hint !== '') place.problems.push(`${within(place, key).path}: unknown option${hint}`);
  }
}

const naming = ['connectionString', 'host', 'user', 'database'] as const;

// `{ connectionString: process.env.DATABSE_URL }` would otherwise migrate whatever listens on localhost.
function namesDatabase(settings: Record<string, unknown>): boolean {
  return hasPgVariables(process.env) || naming.some((key) => Boolean(settings[key]));
}

function unsetKeys(settings: Record<string, unknown>): string {
  const unset = naming.filter((key) => key in settings);
  return unset.length === 0 ? '' : ` (${unset.join(', ')} is ${kindOf(settings[unset[0] as string])})`;
}

/** Whether the variables that pg reads by itself name a database. pg knows no PGSERVICE. */
export function hasPgVariables(environment: NodeJS.ProcessEnv): boolean {
  return ['PGHOST', 'PGPORT', 'PGUSER', 'PGDATABASE'].some((name) => Boolean(environment[name]));
}

/** The part of knex's client that holds the settings of its connections. */
export interface KnexClient {
  readonly dialect?: unknown;
  readonly driverName?: unknown;
  readonly config: { readonly connection?: unknown; readonly migrations?: unknown };
  readonly connectionSettings?: PgConfig;
  readonly connectionConfigProvider?: () => unknown;
}

/** Reads a knex instance: one of PostgreSQL, with a connection, and no transaction. It is neither copied nor frozen. */
export function readKnex(value: unknown, place: Place): Knex | undefined {
  const client = knexClientOf(value);
  if (!client) return refuse(place, 'a knex instance', kindOf(value));
  if ((value as Knex).isTransaction) return refuse(place, 'the knex instance itself', 'a transaction of it');
  if (!isPostgres(client))
    return refuse(place, 'a knex instance with the client "pg"', `one with the client "${String(client.driverName)}"`);
  if (!client.config.connection) return refuse(place, 'a knex instance with a connection', 'one without');
  return value as Knex;
}

/** The client of a value that is a knex instance, else undefined. */
export function knexClientOf(value: unknown): KnexClient | undefined {
  const client = typeof value === 'function' ? (value as { client?: KnexClient }).client : undefined;
  return typeof client?.config === 'object' ? client : undefined;
}

// CockroachDB and Redshift inherit the dialect, not the driver.
function isPostgres(client: KnexClient): boolean {
  return client.dialect === 'postgresql' && ['pg', 'pgnative'].includes(String(client.driverName));
}

/** The settings of a knex instance's connections. A function in its configuration is asked before each connect, as knex does. */
export function connectionOfKnex(knex: Knex): Connect {
  const client = knexClientOf(knex) as KnexClient;
  if (client.connectionConfigProvider) return async () => checkedConnection(await client.connectionConfigProvider?.(), 'knex.connection');
  return givingCopiesOf(client.connectionSettings ?? {});
}
