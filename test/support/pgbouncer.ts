import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findAccount } from '../../src/embedded-binaries.js';
import { afterFile } from './cleanup.js';
import { describeWith } from './tools.js';

export interface PgBouncer {
  readonly port: number;
  /** The same database, user and password, through PgBouncer. */
  urlOf(url: string): string;
  readLog(): Promise<string>;
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  readonly poolMode?: 'transaction' | 'session' | 'statement';
  /** Further lines of the section [pgbouncer]. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** The URLs of further users that may log in. */
  readonly users?: readonly string[];
}

const binary = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
  .map((directory) => path.join(directory, 'pgbouncer'))
  .find((file) => existsSync(file));

export const pgbouncerAvailable = binary !== undefined;

/** `describe` for tests that need PgBouncer. */
export function describeWithPgBouncer(title: string, tests: () => void): void {
  describeWith({ available: pgbouncerAvailable, missing: 'install pgbouncer to run these', required: true }, title, tests);
}

/** Starts PgBouncer before the server of `target`, a URL, on a free port; stopped after the file's tests. */
export async function startPgBouncer(target: string, options: PgBouncerOptions = {}): Promise<PgBouncer> {
  if (binary === undefined) throw new Error('Install pgbouncer: it is neither on the PATH nor in /usr/sbin.');
  const directory = await mkdtemp(path.join(os.tmpdir(), 'em-pgbouncer-'));
  const port = await findFreePort();
  const files = {
    'users.txt': usersOf([target, ...(options.users ?? [])]),
    'pgbouncer.ini': configure({ target, port, directory, options }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
  const account = await findAccount(); // it refuses to run as root, as PostgreSQL does
  for (const file of account === undefined ? [] : ['', ...Object.keys(files)])
    await chown(path.join(directory, file), account!.uid, account!.gid);
  const stop = run(binary, directory, account);
  afterFile(stop);
  await waitUntilOpen(port, path.join(directory, 'log'));
  return {
    port,
    urlOf: (url) => url.replace(/@[^/]*\//, `@127.0.0.1:${port}/`),
    readLog: async () => await readFile(path.join(directory, 'log'), 'utf8'),
    stop,
  };
}

function usersOf(urls: readonly string[]): string {
  return urls
    .map((url) => new URL(url))
    .map(({ username, password }) => `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`)
    .join('');
}

interface Wanted {
  readonly target: string;
  readonly port: number;
  readonly directory: string;
  readonly options: PgBouncerOptions;
}

function configure({ target, port, directory, options: { poolMode = 'transaction', settings = {} } }: Wanted): string {
  const server = new URL(target);
  const lines = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    pool_mode: poolMode,
    auth_type: 'scram-sha-256',
    auth_file: path.join(directory, 'users.txt'),
    logfile: path.join(directory, 'log'),
    max_client_conn: 500,
    default_pool_size: 30,
    ...settings,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
  return `[databases]\n* = host=${decodeURIComponent(server.hostname)} port=${server.port}\n[pgbouncer]\n${text.join('')}`;
}

// The shell ends it when our end of the pipe is closed, be it by a kill -9 of this process.
function run(file: string, directory: string, account: Awaited<ReturnType<typeof findAccount>>): () => Promise<void> {
  const script = '"$1" -q "$2/pgbouncer.ini" </dev/null & cat >/dev/null; kill -s TERM $!; wait $!; rm -rf "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'guard', file, directory], {
    ...account,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return async () => {
    guard.stdin.end();
    if (guard.exitCode === null && guard.signalCode === null) await once(guard, 'exit');
    await rm(directory, { recursive: true, force: true });
  };
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function waitUntilOpen(port: number, log: string): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(20);
  }
  throw new Error(`PgBouncer did not start:\n${await readFile(log, 'utf8').catch(() => 'no log')}`);
}
