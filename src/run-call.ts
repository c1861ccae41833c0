import { startCall, type Call } from './call.js';
import { resolveConfig, type Options } from './config/index.js';
import { findingsError, isMigrationError, isPassing, messageOf, MigrationError, orInternal, sqlStateOf } from './errors.js';
import { errorsOf } from './finding.js';
import { readHistory, tablesOf, type Asked, type History, type Tables } from './history/index.js';
import { openSession, type Session } from './session/index.js';
import { listMigrations, type Migration } from './source/index.js';

/**
 * One call of the library, from its options to its end: what it throws is a {@link MigrationError}; SIGTERM, SIGINT and `signal` end it with
 * EM_ABORTED, and the signal is passed on once everything is cleaned up. `tellFailed` hears of the error first.
 */
export async function runCall<T>(
  options: Options,
  work: (call: Call) => Promise<T>,
  tellFailed?: (call: Call, error: MigrationError) => void,
): Promise<T> {
  const call = startCall(resolveConfig(options));
  try {
    return await call.untilStopped(work(call));
  } catch (error) {
    const failure = asMigrationError(call, error);
    tellFailed?.(call, failure);
    throw failure;
  } finally {
    await call.report.flush();
    call.passSignalOn();
  }
}

/**
 * {@link runCall} for what works on one history. Throws EM_CONFIG_INVALID where the options name tenants: their migrations would go to the schema that they share.
 */
export async function runOnHistory<T>(options: Options, work: (call: Call) => Promise<T>): Promise<T> {
  return await runCall(options, async (call) => {
    if (call.config.tenants !== undefined) throw severalHistories();
    return await work(call);
  });
}

function severalHistories(): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', 'this is about one history, and the options name tenants, each of which has its own', {
    remedy:
      'Give `searchPath: [name]` and `migrations.schemaName` of one tenant in place of `tenants`, or use the command line with --tenant. Nothing was changed.',
  });
}

/** A connection, the code's migrations, and what the database says of them before anybody has locked anything. */
export interface Opened {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  readonly tables: Tables;
  readonly history: History;
}

/** The code's migrations; `alone`: none, for what has nothing to do with them; or what a function lists. */
export type Listing = 'with migrations' | 'alone' | (() => Promise<readonly Migration[]>);

/**
 * Connects, lists the migrations meanwhile, and reads the history in one round trip: takes no lock, writes nothing. Throws EM_CHECK_FAILED
 * where `expect` names another database. The caller owns the session.
 */
export async function openDatabase(
  call: Call,
  listing: Listing = 'with migrations',
  asked: Pick<Asked, 'catalogs'> = {},
): Promise<Opened & AsyncDisposable> {
  const opening = call.report.phase('connect', () => openSession(call));
  const migrations = listing === 'alone' ? [] : await listMeanwhile(listerOf(call, listing), opening);
  const session = await opening;
  const tables = tablesOf(call.config.migrations);
  const close = async () => await session[Symbol.asyncDispose]();
  try {
    const history = await call.report.phase('read', () => readHistory(session, tables, asked));
    await refuseOtherDatabase(call, session, history);
    return { call, session, migrations, tables, history, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function listerOf({ config }: Call, listing: Exclude<Listing, 'alone'>): () => Promise<readonly Migration[]> {
  return typeof listing === 'function' ? listing : async () => await listMigrations(config.migrations);
}

// The files are read while the server answers. When they are not as they should be, nobody waits for the connection any more.
async function listMeanwhile(list: () => Promise<readonly Migration[]>, opening: Promise<Session>): Promise<readonly Migration[]> {
  try {
    opening.catch(() => undefined); // awaited by the caller, unless the listing fails first
    return await list();
  } catch (error) {
    void opening.then((session) => session[Symbol.asyncDispose]()).catch(() => undefined);
    throw error;
  }
}

// Staging code must not even wait on production.
async function refuseOtherDatabase(call: Call, session: Session, { facts }: History): Promise<void> {
  if (Object.keys(call.config.expect).length === 0) return;
  const { checkIdentity } = await import('./checks/index.js');
  const findings = await checkIdentity({ call, session, facts });
  if (errorsOf(findings).length > 0) throw findingsError('EM_CHECK_FAILED', 'this is another database than the one expected', findings);
}

/** What the server refused outside of any migration, as an error of ours: the codes tell whether a person must act. */
export function asMigrationError(call: Call, thrown: unknown): MigrationError {
  const error = firstOf(thrown);
  if (isMigrationError(error)) return error;
  if (call.stop.aborted) return call.stop.reason as MigrationError;
  const state = sqlStateOf(error);
  if (state === '42501') {
    return new MigrationError('EM_CHECK_FAILED', `this role lacks a right that is needed here: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Grant the role what is missing (docs/roles.md), or connect with another one.',
    });
  }
  if (isPassing(state)) {
    const remedy = state === outOfLocks ? { remedy: moreLocks } : {};
    return new MigrationError('EM_SERVER_FAILED', `the server could not do it: ${messageOf(error)} (SQLSTATE ${state})`, {
      cause: error,
      ...remedy,
    });
  }
  return orInternal(error);
}

// `await using` wraps what was thrown when a release fails too. Where there is no such class yet (Node 20) TypeScript makes an Error of that name.
function firstOf(thrown: unknown): unknown {
  const { name, suppressed } = (thrown ?? {}) as { name?: unknown; suppressed?: unknown };
  return name === 'SuppressedError' ? firstOf(suppressed) : thrown;
}

const outOfLocks = '53200'; // out_of_memory, which is what it says when its table of locks is full
const moreLocks =
  'Raise max_locks_per_transaction (it takes a restart of the server), or have fewer at work at once; then start the service again.';
