import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Options } from '../../src/index.js';
import { startCode, startScript, type Script } from './process.js';
import { root } from './majors.js';
import type { TestDatabase } from './servers.js';

/** A boot in a process of its own; its options travel as JSON. */
export interface Booting extends Pick<
  Options,
  'timeouts' | 'mode' | 'backfills' | 'transaction' | 'application' | 'backup' | 'tenants' | 'streams'
> {
  /** A URL. */
  readonly connection: string;
  /** Of the migrations. */
  readonly directory: string;
  /** Kills itself with SIGKILL: while it tells of an event (of one migration), or between the body of a migration and its record. */
  readonly killAt?: { readonly event: string; readonly migration?: string } | { readonly afterBodyOf: string };
  /** Listens to SIGTERM itself and tells of it as `service.sigterm`. */
  readonly ownListener?: boolean;
}

/**
 * Starts a process that boots. It tells each progress event as a line of JSON (with `at`, in ms since the epoch), then `service.ready`
 * with the outcome or `service.failed` with the error, and ends. `env` is what migrations see.
 */
export function startBoot(booting: Booting, env: Readonly<Record<string, string>> = {}): Script {
  return startScript(child, { env: { ...env, BOOT: JSON.stringify(booting) } });
}

/** The same in a shell, whose exit code it ends with; `service.started` tells the pid of the booting process. */
export function startBootInShell(booting: Booting, env: Readonly<Record<string, string>> = {}): Script {
  const code = `import { spawn } from 'node:child_process';
    const args = ['-c', '"$0" "$1"; exit $?', process.execPath, ${JSON.stringify(child)}];
    spawn('/bin/sh', args, { stdio: 'inherit' }).on('exit', (code) => (process.exitCode = code));`;
  return startCode(code, { env: { ...env, BOOT: JSON.stringify(booting) } });
}

const child = path.join(root, 'test/support/boot-child.js');

export interface Activity {
  readonly pid: number;
  readonly state: string;
  readonly query: string;
  readonly wait: string | null;
}

/** Waits until a session of ensure-migrated runs a statement with this text in it; resolves with the session. */
export async function waitUntilRuns(database: TestDatabase, text: string): Promise<Activity> {
  return await poll(async () => (await sessionsOf(database)).find(({ state, query }) => state === 'active' && query.includes(text)));
}

/** Waits until any session of this database waits for a lock: the server is that of other files, too. */
export async function waitUntilBlocked(database: Pick<TestDatabase, 'query'>): Promise<void> {
  const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await poll(async () => (await database.query(blocked))[0]);
}

/** Waits until such a session waits for its client in the middle of a statement, as COPY FROM STDIN does. */
export async function waitUntilAwaitsClient(database: TestDatabase): Promise<Activity> {
  const find = async () => (await sessionsOf(database)).find(({ state, wait }) => state === 'active' && wait === 'ClientRead');
  return await poll(async () => {
    const before = await find();
    await sleep(before ? 50 : 0); // between the messages of a query with values any session does so for a moment
    const after = before && (await find());
    return after?.query === before?.query ? after : undefined;
  });
}

/** The sessions of ensure-migrated in this database; those of watchers are left out unless asked for. */
export async function sessionsOf(database: TestDatabase, watchers: 'with watchers' | 'without' = 'without'): Promise<Activity[]> {
  return (await database.query(
    `select pid, state, query, wait_event as wait from pg_stat_activity
     where datname = current_database() and application_name like 'ensure-migrated/%' and ($1 or application_name not like '%/watch')`,
    [watchers === 'with watchers'],
  )) as Activity[];
}

/** The pids that hold a migration lock in this database. */
export async function holdersOf(database: TestDatabase): Promise<number[]> {
  const rows = await database.query(
    `select pid from pg_locks where locktype = 'advisory' and classid = 1701669223 and granted
       and database = (select oid from pg_database where datname = current_database())`,
  );
  return rows.map(({ pid }) => pid as number);
}

/** Asks again until there is an answer; rejects after `withinMs` (20 s). */
export async function poll<T>(ask: () => Promise<T | undefined>, withinMs = 20_000): Promise<T> {
  const started = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() - started > withinMs) throw new Error(`no answer within ${withinMs} ms: ${expect.getState().currentTestName}`);
    await sleep(20);
  }
}
