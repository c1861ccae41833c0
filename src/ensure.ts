import { startCall, type Call } from './call.js';
import { resolveConfig, type Options } from './config/index.js';
import { errorsOf } from './finding.js';
import { findingsError, isMigrationError, messageOf, MigrationError, sqlStateOf, type ErrorCode } from './errors.js';
import { readHistory, tablesOf, type History, type Tables } from './history/index.js';
import { nothingToDo, outcomeOf, type Outcome } from './outcome.js';
import { readState } from './read-state.js';
import { openSession, type Session } from './session/index.js';
import { listMigrations, type Migration } from './source/index.js';
import type { State } from './state.js';

/**
 * Brings the database to the code's newest migration, or throws {@link MigrationError}; never returns on a database that the code cannot
 * use. Any number of processes may call it at once: one applies, the others wait and then find the database in sync.
 *
 * Up to date it takes one connection and one round trip, no lock, and writes nothing. Otherwise it holds an advisory lock while it checks,
 * applies the pending migrations and verifies. Waits at most `timeouts.callMs` in all; the time of its own statements does not count.
 * While it runs, SIGTERM, SIGINT and `signal` roll back, unlock and throw EM_ABORTED. Options not given come from the environment, then
 * from the defaults (docs/options.md). Every code that it can throw is in docs/errors.md.
 */
export async function ensureMigrated(options: Options = {}): Promise<Outcome> {
  const config = resolveConfig(options);
  const call = startCall(config);
  try {
    return ready(call, config.mode === 'off' ? outcomeOf(call, { status: 'off' }) : await call.untilStopped(boot(call)));
  } catch (error) {
    throw failed(call, error);
  } finally {
    await call.report.flush();
    call.passSignalOn();
  }
}

async function boot(call: Call): Promise<Outcome> {
  call.report.debug('boot.started', { mode: call.config.mode });
  const opening = call.report.phase('connect', () => openSession(call));
  const migrations = await listMeanwhile(call, opening);
  await using session = await opening;
  const tables = tablesOf(call.config.migrations);
  const history = await call.report.phase('read', () => readHistory(session, tables));
  await refuseOtherDatabase(call, session, history);
  const state = await readState({ call, session, tables, migrations, history });
  if (state.inSync) return nothingToDo(call, state);
  return await bringToHead({ call, session, migrations, tables, history, state });
}

// The files are read while the server answers. When they are not as they should be, nobody waits for the connection any more.
async function listMeanwhile(call: Call, opening: Promise<Session>): Promise<readonly Migration[]> {
  try {
    opening.catch(() => undefined); // awaited by the caller, unless the listing fails first
    return await listMigrations(call.config.migrations);
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

/** What was found out about a database that is not in sync. */
export interface OutOfSync {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  readonly tables: Tables;
  readonly history: History;
  readonly state: State;
}

// The locked path costs knex, the checks and more to load: an up-to-date boot does not.
async function bringToHead(outOfSync: OutOfSync): Promise<Outcome> {
  const { call, history, state } = outOfSync;
  if (call.config.mode === 'wait') return await (await import('./wait-for-head.js')).waitForHead(outOfSync);
  if (call.config.mode === 'apply') return await (await import('./migrate.js')).migrateUnderLock(outOfSync);
  throw findingsError('EM_OUT_OF_SYNC', `the database "${history.facts.database}" is not in sync with this code`, state.findings);
}

function ready(call: Call, outcome: Outcome): Outcome {
  const { status, to, applied, findings, timings } = outcome;
  for (const finding of findings) call.report[finding.level === 'info' ? 'info' : 'warn']('check.finding', { ...finding });
  call.report[status === 'migrated' ? 'info' : 'debug']('boot.ready', { status, revision: to, appliedCount: applied.length, timings });
  return outcome;
}

function failed(call: Call, error: unknown): MigrationError {
  const failure = translate(call, error);
  const { code, remedy, message } = failure;
  call.report.error('boot.failed', { code, remedy, ...(quoting.has(code) ? {} : { message }) });
  return failure;
}

// Their messages quote statements and what the server said of them, with values: these stand in the thrown error only.
const quoting: ReadonlySet<ErrorCode> = new Set([
  'EM_MIGRATION_FAILED',
  'EM_TRANSACTION_BROKEN',
  'EM_NOT_COMMITTED',
  'EM_VERIFY_FAILED',
  'EM_INTERNAL',
]);

// What the server refused outside of any migration: the codes tell whether a person must act.
function translate(call: Call, error: unknown): MigrationError {
  if (isMigrationError(error)) return error;
  if (call.stop.aborted) return call.stop.reason as MigrationError;
  if (sqlStateOf(error) === '42501') {
    return new MigrationError('EM_CHECK_FAILED', `this role lacks a right that the boot needs: ${messageOf(error)}`, {
      cause: error,
      remedy: `Grant the role what is missing (docs/operations.md, "Roles"), or connect with another one.`,
    });
  }
  return new MigrationError('EM_INTERNAL', messageOf(error), { cause: error });
}
