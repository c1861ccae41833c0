import { dropDatabase, makeDatabase, openArchive, restoreArchive, type Archive } from '../backup/index.js';
import { callUnder, type Call } from '../call.js';
import type { Connect, Options } from '../config/index.js';
import { openDatabase, runCall } from '../run-call.js';
import { atDatabase, readLogin } from '../session/index.js';
import { underLock } from '../under-lock.js';

/** Which backup, into which database. */
export interface RestoreOptions {
  /** What `backup`, or `pg_dump --format=custom`, has written. */
  readonly file: string;
  /**
   * Makes the database first: `true` the one that the connection names, a name another one on the same server. It must not be there yet, and
   * is dropped again when the restore fails. Default: the database of the connection, which must be empty.
   */
  readonly create?: true | string | undefined;
}

/** What was put back, and where. Plain data, frozen. */
export interface RestoreResult {
  readonly database: string;
  readonly file: string;
  /** The newest applied migration of what was restored; undefined when there is none. */
  readonly revision: string | undefined;
}

/**
 * Puts a backup back whole, into an empty or a newly made database, under the lock and in one transaction; never on top of another schema.
 * Throws EM_RESTORE_REFUSED before anything was done, for a file that is no whole backup and for a database that is not empty or, with
 * `create`, is there; EM_RESTORE_FAILED when pg_restore failed, and then nothing is left of it.
 */
export async function restore(options: Options, { file, create }: RestoreOptions): Promise<RestoreResult> {
  return await runCall({ ...options, mode: 'apply' }, async (call) => {
    const archive = await openArchive(call, file);
    return create === undefined ? await restoreHere(call, archive) : await restoreThere(call, archive, create);
  });
}

async function restoreHere(call: Call, archive: Archive): Promise<RestoreResult> {
  await using opened = await openDatabase(call, 'alone');
  return await underLock(opened, {
    work: async (locked) => {
      const { session, scope, tables, history } = locked;
      await restoreArchive(archive, { call, session, scope, tables, facts: history.facts });
      const { applied } = await locked.reread();
      await locked.release();
      return Object.freeze({ database: history.facts.database, file: archive.file, revision: applied?.at(-1) });
    },
  });
}

async function restoreThere(call: Call, archive: Archive, create: true | string): Promise<RestoreResult> {
  const source = call.config.directConnection ?? call.config.connection;
  const name = create === true ? await databaseOf(source) : create;
  const making = callTo(call, atDatabase(source, maintenanceDatabase));
  await using opened = await openDatabase(making, 'alone');
  const { session, history } = opened;
  await session.hold('direct', history.facts); // it is idle for as long as the restore takes, and is to be there when that fails
  await makeDatabase(archive, { call, session, name });
  try {
    return await restoreHere(callTo(call, atDatabase(source, name)), archive);
  } catch (error) {
    await dropDatabase({ call, session, name });
    throw error;
  }
}

/** Every server has it, or had it: where it was dropped, make the database by hand and restore into it. */
const maintenanceDatabase = 'postgres';

async function databaseOf(source: Connect): Promise<string> {
  const { database, user } = await readLogin(source);
  return database ?? user ?? maintenanceDatabase;
}

// The same call, to another database of the server: one voice, one patience, one ear for being stopped.
function callTo(call: Call, connection: Connect): Call {
  const { database: _, ...expect } = call.config.expect;
  return callUnder(call, { connection, directConnection: undefined, expect });
}
