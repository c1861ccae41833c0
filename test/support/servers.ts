import { randomBytes } from 'node:crypto';
import path from 'node:path';
import pg from 'pg';
import { expect, inject } from 'vitest';
import {
  startEmbedded,
  startStandby as startEmbeddedStandby,
  type Embedded,
  type EmbeddedOptions,
  type StandbyOptions,
} from '../../src/embedded.js';
import { identifier, literal } from '../../src/sql.js';
import { afterFile } from './cleanup.js';
import { major, packageOf } from './majors.js';
import { makeSecret, ownTables, secretsIn } from './secrets.js';

type Row = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

/** A database of one test file; dropped after its tests unless one of them failed. */
export interface TestDatabase {
  /** As superuser. */
  readonly url: string;
  readonly name: string;
  /** Runs one statement on a connection of its own, so that no session of the test stays behind. */
  query(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A connected client; ended with the file at the latest. */
  connect(url?: string): Promise<pg.Client>;
  /** The URL of this database for a role. */
  roleUrl(role: string, password: string): string;
  /** A role that may log in, of this file alone; `attributes` as in CREATE ROLE. It has no rights but those of PUBLIC. */
  createRole(attributes?: string): Promise<{ readonly name: string; readonly password: string; readonly url: string }>;
  drop(): Promise<void>;
}

/** A server of one test file: to be restarted, crashed or configured. */
export interface TestServer extends Embedded {
  createDatabase(): Promise<TestDatabase>;
}

/** A fresh, empty database on the server that all files share, or on one of another major version. */
export async function createDatabase(options: { readonly major?: number } = {}): Promise<TestDatabase> {
  if (options.major === undefined || options.major === major) return await createDatabaseOn(inject('serverUrl'));
  return await (await serverOf(options.major)).createDatabase();
}

const servers = new Map<number, Promise<TestServer>>();

function serverOf(other: number): Promise<TestServer> {
  const known = servers.get(other) ?? startServer({ major: other, settings: { max_prepared_transactions: 20 } });
  servers.set(other, known);
  return known;
}

/** Starts a server of this file's own; removed after its tests. */
export async function startServer({ major: wanted = major, ...options }: EmbeddedOptions & { major?: number } = {}): Promise<TestServer> {
  const server = await startEmbedded({ ...packageOf(wanted), ...options });
  afterFile(async (failed) => {
    if (failed) console.log(await server.readLog());
    await server.remove();
  });
  return { ...server, createDatabase: async () => await createDatabaseOn(server.url, 'with its server') };
}

/** Starts a standby of a server, or of another standby, which is restarted for it; removed after the tests of this file. */
export async function startStandby(primary: Embedded, options?: StandbyOptions): Promise<Embedded> {
  const standby = await startEmbeddedStandby(primary, options);
  afterFile(async (failed) => {
    if (failed) console.log(await standby.readLog());
    await standby.remove();
  });
  return standby;
}

// Files are copied in a quarter of the time that writing them to the WAL takes.
const strategy = major < 15 ? '' : 'strategy file_copy';

async function createDatabaseOn(serverUrl: string, lives?: 'with its server'): Promise<TestDatabase> {
  const name = `${fileName()}_${randomBytes(4).toString('hex')}`;
  await runOn(serverUrl, `create database ${identifier(name)} ${strategy}`);
  const database = describeDatabase(serverUrl, name);
  if (lives !== undefined) return database;
  afterFile(async (failed) => {
    if (failed) return console.log(`A test failed; its database (KEEP_FAILED=1 keeps the server up): ${database.url}`);
    const [kept] = await database.query(ownTables).catch(() => []); // a test may have dropped it
    expect(secretsIn(String(kept?.['text'])), `passwords in the tables of ${name}`).toEqual([]);
    await database.drop();
  });
  return database;
}

/** A database that somebody else has made, for the superuser of this URL. */
export function databaseAt(url: string): TestDatabase {
  return describeDatabase(withPath(url, 'postgres'), decodeURIComponent(new URL(url).pathname.slice(1)));
}

function fileName(): string {
  const file = expect.getState().testPath ?? 'test';
  return path.basename(file, '.test.ts').replaceAll(/\W/g, '_').slice(0, 40);
}

function describeDatabase(serverUrl: string, name: string): TestDatabase {
  const url = withPath(serverUrl, name);
  const roles: string[] = [];
  const clients = new Set<pg.Client>();
  const roleUrl = (role: string, password: string): string => withUser(url, role, password);
  return {
    url,
    name,
    query: async (sql, values) => await runOn(url, sql, values),
    connect: async (as = url) => {
      const client = await connectTo(as);
      if (clients.size === 0)
        afterFile(async () => {
          await Promise.allSettled([...clients].map(async (each) => await each.end()));
        });
      clients.add(client);
      return client;
    },
    roleUrl,
    createRole: async (attributes = '') => {
      const [role, password] = [`${name}_r${roles.length}`, makeSecret()];
      await runOn(url, `create role ${identifier(role)} login password ${literal(password)} ${attributes}`);
      roles.push(role);
      return { name: role, password, url: roleUrl(role, password) };
    },
    drop: async () => {
      await runOn(serverUrl, `drop database if exists ${identifier(name)} with (force)`);
      for (const role of roles.splice(0)) await runOn(serverUrl, `drop role ${identifier(role)}`);
    },
  };
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' });
  client.on('error', () => undefined); // the server may be killed under it: the next query says so
  await client.connect();
  return client;
}

async function runOn(url: string, sql: string, values?: readonly unknown[]): Promise<Row[]> {
  const client = await connectTo(url);
  try {
    const results = await client.query<Row>(sql, values === undefined ? undefined : [...values]);
    return [results].flat().at(-1)?.rows ?? []; // of the last statement
  } finally {
    await client.end();
  }
}

function withPath(url: string, database: string): string {
  return url.replace(/\/[^/]*$/, `/${encodeURIComponent(database)}`);
}

function withUser(url: string, user: string, password: string): string {
  return url.replace(/\/\/[^@]*@/, `//${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
}
