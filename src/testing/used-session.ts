import type { EventEmitter } from 'node:events';
import type pg from 'pg';

const spoilt = new WeakSet<pg.ClientBase>();

// RESET gives a setting its value back, but one that the session made up (app.tenant) is empty then, where a new session knows none. No
// statement lists those. A prepared statement keeps its name, and pg believes its own to be there. What DO and CALL did is not told.
const spoiling = /^(?:set|prepare|deallocate|discard|load|do|call)\b/i;

/** Notes from now on whether a statement changes the session in a way that only a new session takes back. */
export function watchSession(client: pg.ClientBase): void {
  const { connection } = client as unknown as { readonly connection?: EventEmitter };
  if (connection === undefined) return void spoilt.add(client); // pg-native does not tell what ran
  connection.on('commandComplete', ({ text }: { readonly text: string }) => {
    if (spoiling.test(text)) spoilt.add(client);
  });
  const { query } = client as { readonly query: (...asked: unknown[]) => unknown };
  Object.assign(client, {
    query: (...asked: unknown[]) => {
      const [first] = asked as [string | { readonly text?: unknown } | undefined];
      if (/set_config/i.test(String(typeof first === 'string' ? first : first?.text))) spoilt.add(client);
      return query.apply(client, asked);
    },
  });
}

// What DISCARD ALL does but for the prepared statements, which pg believes to be there.
const cleaning = `reset all; close all; set session authorization default; unlisten *; select pg_catalog.pg_advisory_unlock_all();
  discard sequences; discard temp`;

/**
 * Takes back what a test has done to an idle session: settings, roles, LISTEN, advisory locks, temporary tables; then `prepare` makes it what
 * its owner wants. Says `spoilt` where that would not be all: it has to be ended.
 */
export async function cleanSession(client: pg.ClientBase, prepare?: () => Promise<unknown>): Promise<'as new' | 'spoilt'> {
  if (spoilt.has(client)) return 'spoilt';
  try {
    await client.query(cleaning);
    await prepare?.();
  } catch {
    return 'spoilt'; // it was ended, or is in the middle of something
  }
  spoilt.delete(client); // that was us
  return 'as new';
}
