import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ensureAllMigrated, ensureMigrated, type Options, type Outcome, type ProgressEvent } from '../../src/index.js';
import { poll } from '../support/boot.js';
import { makeMigrations, tables } from '../support/migrations.js';
import { runCode } from '../support/process.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import { createDatabase, startServer, type TestDatabase } from '../support/servers.js';

let database: TestDatabase;
let proxy: Proxy;
let migrations: string;
beforeAll(async () => {
  database = await createDatabase();
  proxy = await startProxy(database.url);
  migrations = await makeMigrations(tables(2));
  await ensureMigrated({ connection: database.url, migrations, logger: false });
});
afterEach(async () => await proxy.accept());

interface Booting {
  readonly outcome: Promise<Outcome>;
  readonly events: readonly ProgressEvent[];
  /** Waits until so many further attempts have failed for this reason. */
  retried(reason: RegExp, count?: number): Promise<void>;
}

function start(options: Options = {}): Booting {
  const events: ProgressEvent[] = [];
  const connection = proxy.urlOf(database.url);
  const outcome = ensureMigrated({ connection, migrations, logger: false, onProgress: (event) => events.push(event), ...options });
  outcome.catch(() => undefined); // looked at later
  const retried = async (reason: RegExp, count = 3): Promise<void> => {
    const from = events.length;
    const failures = () =>
      events.slice(from).filter(({ event, ...rest }) => event.startsWith('connect.') && reason.test(String(rest['reason'])));
    await poll(async () => (failures().length >= count ? true : undefined));
  };
  return { outcome, events, retried };
}

describe('a connection that may work later is tried again', () => {
  test('while nothing listens', async () => {
    await proxy.refuse();
    let asked = 0;
    const { outcome, events, retried } = start({
      connection: () => {
        asked++;
        return proxy.urlOf(database.url);
      },
    });
    await retried(/ECONNREFUSED/);
    await proxy.accept();
    await expect(outcome).resolves.toMatchObject({ status: 'in-sync' });
    expect(asked).toBe(events.filter(({ event }) => event === 'connect.waiting' || event === 'connect.retrying').length + 1); // rotating credentials
  });

  test.each([
    ['57P03', 'the database system is starting up'],
    ['57P03', 'the database system is not yet accepting connections'],
    ['53300', 'sorry, too many clients already'],
    ['08006', 'connection failure'],
  ])('while the server answers %s, %s', async (sqlState, message) => {
    proxy.turnAway(sqlState, message);
    const { outcome, retried } = start();
    await retried(new RegExp(message));
    await proxy.accept();
    await expect(outcome).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('while a server shuts down, is down and comes up', async () => {
    const server = await startServer();
    const own = await server.createDatabase();
    const last = await own.connect();
    const [pid] = (await readFile(path.join(server.socketDirectory, 'data/postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(pid), 'SIGTERM'); // a smart shutdown: nobody new gets in, and it waits for the last client
    const { outcome, retried } = start({ connection: own.url, timeouts: { connectMs: 55_000 } });
    await retried(/the database system is shutting down/);
    await last.end();
    await retried(/ECONNREFUSED/);
    await server.start();
    await expect(outcome).resolves.toMatchObject({ status: 'migrated', applied: [{}, {}] });
    await expect(start({ connection: own.url }).outcome).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('while a role has all its connections in use', async () => {
    const role = await database.createRole('connection limit 1');
    await database.query(`grant select on all tables in schema public to ${role.name}`);
    const other = await database.connect(role.url);
    const { outcome, retried } = start({ connection: role.url });
    await retried(/too many connections for role/);
    const impatient = start({ connection: role.url, timeouts: { connectMs: 300 } }); // whose last attempt has no time left to hear that
    await expect(impatient.outcome).rejects.toThrow(/within 300 ms: too many connections for role/);
    await other.end();
    await expect(outcome).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('until timeouts.connectMs have passed', async () => {
    await proxy.refuse();
    const { outcome, events } = start({ timeouts: { connectMs: 500 } });
    await expect(outcome).rejects.toMatchObject({ code: 'EM_CONNECT_TIMEOUT', retryable: true, exitCode: 75 });
    await expect(outcome).rejects.toThrow(/within 500 ms: connect ECONNREFUSED/);
    expect(events.filter(({ event }) => event === 'connect.retrying').length).toBeGreaterThan(0);
  });

  test('and not once more when it turns out that it will never work', async () => {
    const role = await database.createRole();
    await proxy.refuse();
    const { outcome, retried } = start({ connection: proxy.urlOf(database.roleUrl(role.name, 'wrong')) });
    await retried(/ECONNREFUSED/, 1);
    await proxy.accept();
    await expect(outcome).rejects.toMatchObject({ code: 'EM_CONNECT_REJECTED', cause: { code: '28P01' } });
  });
});

const secret = 'hunter2@/:é%';
const encoded = encodeURIComponent(secret);

const refusals: Record<string, { url: (url: string) => string; says: RegExp; sqlState?: string }> = {
  'a wrong password': { url: (url) => url, says: /password authentication failed/, sqlState: '28P01' },
  'an unknown database': { url: (url) => `${url}_unknown`, says: /database ".*_unknown" does not exist/, sqlState: '3D000' },
  'TLS that the server does not speak': { url: (url) => `${url}?sslmode=verify-full`, says: /does not support SSL connections/ },
};

describe.each(Object.entries(refusals))('%s', (what, { url, says, sqlState }) => {
  let target: string;
  beforeAll(async () => {
    const role = await database.createRole();
    if (what !== 'a wrong password') await database.query(`alter role ${role.name} password '${secret}'`);
    target = url(database.roleUrl(role.name, secret));
  });

  test('fails at once', async () => {
    proxy.reset();
    const { outcome, events } = start({ connection: proxy.urlOf(target) });
    await expect(outcome).rejects.toMatchObject({ code: 'EM_CONNECT_REJECTED', retryable: false, exitCode: 78 });
    await expect(outcome).rejects.toThrow(says);
    if (sqlState) await expect(outcome).rejects.toMatchObject({ cause: { code: sqlState } });
    expect(events.filter(({ event }) => event === 'connect.waiting' || event === 'connect.retrying')).toEqual([]);
    expect(proxy.counts().connections).toBeLessThanOrEqual(1);
  });

  test('shows no password: not in the error, its cause or an event', async () => {
    for (const connection of [target, configOf(target), () => configOf(target)]) {
      const { outcome, events } = start({ connection });
      const error: unknown = await outcome.catch((thrown: unknown) => thrown);
      expectNoSecret(
        inspect(error, { depth: null, showHidden: true, getters: true }),
        inspect(events, { depth: null }),
        JSON.stringify(error),
      );
      expectNoSecret(...chainOf(error).flatMap(({ message, stack }) => [message, stack ?? '']));
    }
  });

  test('shows no password on stdout or stderr of a service that ends with it', async () => {
    const code = `import { ensureMigrated } from 'ensure-migrated'; await ensureMigrated({ migrations: process.env.MIGRATIONS });`;
    const exit = await runCode(code, { env: { DATABASE_URL: target, MIGRATIONS: migrations } });
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(says);
    expect(exit.stdout).toContain('EM_CONNECT_REJECTED'); // the log
    expectNoSecret(exit.stdout, exit.stderr);
  });
});

test('a connection function that throws fails at once, and the URL in its error is masked', async () => {
  const connection = () =>
    Promise.reject(new Error(`no lease for postgres://app:${encoded}@db/notes`, { cause: new Error(`password=${encoded}`) }));
  const { outcome, events } = start({ connection });
  const error: unknown = await outcome.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'EM_CONNECT_REJECTED' });
  expect((error as Error).message).toContain('no lease for postgres://app:***@db/notes');
  expectNoSecret(inspect(error, { depth: null, showHidden: true }), inspect(events, { depth: null }));
});

test('a connection function that hangs ends a boot after connectMs, and a call for several at once when it is told to stop', async () => {
  const connection = async () => await new Promise<string>(() => undefined);
  const { outcome } = start({ connection, timeouts: { connectMs: 200 } });
  await expect(outcome).rejects.toMatchObject({ code: 'EM_CONNECT_TIMEOUT', remedy: expect.stringContaining('that function') as string });
  await expect(outcome).rejects.toThrow('the function that gives the connection has not answered within 200 ms');
  const stop = new AbortController();
  const databases = ['one', 'other'].map((name) => ({ name, connection }));
  const all = ensureAllMigrated({ databases, migrations, logger: false, signal: stop.signal });
  const startedAt = performance.now();
  stop.abort();
  await expect(all).rejects.toMatchObject({ code: 'EM_ABORTED' });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test.each([0, 60_000])('connectMs bounds an attempt whose own limit is %i ms', async (connectionTimeoutMillis) => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const connection = { host: '127.0.0.1', port: (silent.address() as AddressInfo).port, user: 'app', connectionTimeoutMillis };
  const error = await start({ connection, timeouts: { connectMs: 300 } }).outcome.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'EM_CONNECT_TIMEOUT' });
  silent.close();
});

test('a server that ends the connection together with its greeting is tried again, and says why', async () => {
  const message = (type: string, body: string) => Buffer.concat([Buffer.from(type), lengthOf(body), Buffer.from(body, 'latin1')]);
  const lengthOf = (body: string) => Buffer.from([0, 0, 0, body.length + 4]);
  const greeting = [message('R', '\0\0\0\0'), message('Z', 'I'), message('E', 'SFATAL\0VFATAL\0C57P01\0Mended by an administrator\0\0')];
  const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(Buffer.concat(greeting))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connection = `postgres://app@127.0.0.1:${(server.address() as AddressInfo).port}/clinic`;
  await expect(start({ connection, timeouts: { connectMs: 300 } }).outcome).rejects.toThrow(/within 300 ms: ended by an administrator/);
  server.close();
});

function configOf(url: string) {
  const { hostname, port, username, password, pathname, search } = new URL(url);
  const [user, database] = [username, pathname.slice(1)].map(decodeURIComponent);
  return { host: hostname, port: Number(port), user, database, password: () => decodeURIComponent(password), ssl: search !== '' };
}

function expectNoSecret(...texts: string[]): void {
  for (const text of texts) for (const form of [secret, encoded, 'hunter2']) expect(text).not.toContain(form);
}

function chainOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...chainOf(error.cause)] : [];
}
