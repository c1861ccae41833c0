import { literal } from '../sql.js';
import type { Leak } from './detect.js';
import { leaksSql } from './detect.js';
import type { Link } from './link.js';

/**
 * What becomes of what a test leaves open. It is ended in any case. `warn` (default) says so in a process warning; `end` does not; `error` makes
 * the reset throw EM_TEST_LEAK, once the database is clean.
 */
export type OnLeak = 'warn' | 'end' | 'error';

/**
 * What becomes of the application's sessions that are idle at a reset and hold nothing. `keep` (default) lets its pool live on, with what was SET in
 * its sessions. `end` ends them: a pool of pg needs a listener to `error` then.
 */
export type OnIdle = 'keep' | 'end';

const endLimitMs = 5_000;

/** What is open now, when the one statement that would have told is held up by it. */
export async function readLeaks(link: Link): Promise<readonly Leak[]> {
  const [row] = await link.query<{ leaks: Leak[] }>(`select ${leaksSql} as leaks`);
  return row?.leaks ?? [];
}

/** Ends sessions, waits until they are gone, and takes prepared transactions back. */
export async function endLeaks(link: Link, leaks: readonly Leak[]): Promise<void> {
  const pids = leaks.flatMap(({ pid }) => (pid === null ? [] : [pid]));
  if (pids.length > 0) {
    await link.query(`select pg_catalog.pg_terminate_backend(pid, ${endLimitMs}) from pg_catalog.unnest(array[${pids.join(', ')}]) pid`);
  }
  for (const { gid } of leaks) if (gid !== null) await link.query(`rollback prepared ${literal(gid)}`);
}

/** Ends all idle sessions but these, and waits until they are gone. */
export async function endIdle(link: Link, but: readonly number[]): Promise<void> {
  await link.query(
    `select pg_catalog.pg_terminate_backend(pid, ${endLimitMs}) from pg_catalog.pg_stat_activity
     where datname = pg_catalog.current_database() and backend_type = 'client backend' and state = 'idle' and pid <> all ($1::int[])`,
    [but],
  );
}

/** A leak as a line for people. */
export function describeLeak({ pid, state, query, application, gid }: Leak): string {
  if (gid !== null) return `the prepared transaction "${gid}"`;
  return `the session ${pid} (${application || 'no application_name'}), ${state}, last query: ${query.replace(/\s+/g, ' ').slice(0, 200)}`;
}
