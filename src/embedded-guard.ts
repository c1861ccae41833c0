import { spawn, type ChildProcess, type SpawnOptionsWithoutStdio } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Account } from './embedded-binaries.js';

/** Where a server lives, and what it runs. */
export interface Place {
  readonly account: Account;
  /** The folder with bin, lib and share. */
  readonly native: string;
  readonly directory: string;
  readonly data: string;
  readonly log: string;
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

/** What makes a new cluster. */
export function initialisation({ native, data, directory }: Place): readonly string[] {
  const initdb = [path.join(native, 'bin/initdb'), '-D', data, '-U', 'postgres', `--pwfile=${directory}/password`];
  return [...initdb, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
}

/** What makes a standby of a stopped server whose directory is `from`. */
export function standbyCopy(from: string, { data }: Place): readonly string[] {
  return ['/bin/sh', '-c', 'cp -R "$1" "$2" && : >"$2/standby.signal"', 'copy', path.join(from, 'data'), data];
}

/** Starts what outlives this process for a moment: it makes the directory, runs `fill` in it, and takes both away when this process has ended. */
export async function startGuard({ account, directory, log }: Place, password: string, fill: readonly string[]): Promise<ChildProcess> {
  const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', directory, ...fill], {
    ...quietly(account),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  guard.stdin.on('error', () => undefined).write(`${verifierOf(password)}\n`);
  const [status] = (await Promise.race([once(guard.stdout, 'data'), once(guard, 'exit')])) as [Buffer | number | null];
  if (String(status).trim() !== '0' || hasEnded(guard)) {
    const complaint = await readFile(log, 'utf8').catch(() => `${directory} could not be made`);
    guard.stdin.end();
    throw new Error(`the data directory could not be made: ${complaint}`);
  }
  letGo(guard);
  return guard;
}

// What the server stores of a password (RFC 5803), and takes in its place. Iterations make guessing slow, and nobody guesses 128 random bits: with
// the server's 4096 they were half of what a connection costs.
function verifierOf(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, 1, 32, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${storedKey}:${keyOf('Server Key').toString('base64')}`;
}

// Neither it nor our end of its pipe keeps this process from ending.
function letGo(guard: ChildProcess): void {
  guard.unref();
  guard.stdout?.destroy();
  (guard.stdin as unknown as { unref(): void }).unref();
}

// A session of its own, so that Ctrl-C in the terminal reaches the caller alone. No environment: PG* variables are the caller's.
export function quietly(account: Account): SpawnOptionsWithoutStdio {
  return { ...account, cwd: '/', detached: true, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
