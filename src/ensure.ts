import type { Call } from './call.js';
import type { Options } from './config/index.js';
import { findingsError, type ErrorCode, type MigrationError } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import { areCatalogsAsLeft, type History } from './history/index.js';
import type { Fields } from './log.js';
import { nothingToDo, outcomeOf, type Outcome } from './outcome.js';
import { readState } from './read-state.js';
import { openDatabase, runCall, type Listing, type Opened } from './run-call.js';
import type { State } from './state.js';
import { withReplicas } from './with-replicas.js';

/**
 * Brings the database to the code's newest migration, or throws {@link MigrationError}; never returns on a database that the code cannot
 * use. Any number of processes may call it at once: one applies, the others wait and then find the database in sync.
 *
 * Up to date it takes one connection and one round trip, no lock, and writes nothing; where the catalogs look written to since the last run it
 * takes another, and where they are it also reads the schema, to tell drift. Otherwise it holds an advisory lock while it checks,
 * applies the pending migrations and verifies. Waits at most `timeouts.callMs` in all; the time of its own statements does not count.
 * Backfills that are not done are worked on afterwards, in this process, unless `backfills` says otherwise.
 * With `tenants` it does so for each of them, some at once, and throws EM_NOT_ALL_MIGRATED unless all are at head (docs/tenants.md).
 * While it runs, SIGTERM, SIGINT and `signal` roll back, unlock and throw EM_ABORTED. Options not given come from the environment, then
 * from the defaults (docs/options.md). Every code that it can throw is in docs/errors.md.
 */
export async function ensureMigrated(options: Options = {}): Promise<Outcome> {
  return await runCall(options, async (call) => tellReady(call, await boot(call, options)), tellFailed);
}

async function boot(call: Call, options: Options): Promise<Outcome> {
  const { mode, streams, tenants } = call.config;
  if (mode === 'off') return outcomeOf(call, { status: 'off' });
  call.report.debug('boot.started', { mode });
  if (streams.length > 0) return await (await import('./streams/index.js')).ensureStreams(call, { options, bootOne });
  if (tenants !== undefined) return await (await import('./tenants/index.js')).ensureTenants(call, { options, tenants, bootOne, toldOf });
  return await bootOne(call, { options });
}

interface Booting {
  /** What works in the background begins with the same; undefined: nobody does. */
  readonly options?: Options;
  readonly listing?: Listing;
}

// One history.
async function bootOne(call: Call, { options, listing }: Booting): Promise<Outcome> {
  const catalogs = call.config.rules['schema-drift'].level === 'off' ? undefined : 'compared';
  await using opened = await openDatabase(call, listing, { catalogs });
  const state = await readState(opened);
  const shown = await withReplicas(opened, state.inSync ? 'in-sync' : 'pending', async () =>
    state.inSync ? nothingToDo(call, await lookForDrift(opened, state)) : await bringToHead(opened, state),
  );
  if (state.inSync && !opened.history.hasBackfills) return shown;
  return await (await import('./boot-backfills.js')).seeToBackfills(opened, { outcome: shown, ...(options && { options }) });
}

// The schema itself is read only when something has written to its catalogs since the last run.
async function lookForDrift(opened: Opened, state: State): Promise<State> {
  const { call, session, tables, history } = opened;
  if (history.catalogs !== 'written') return state;
  if (await areCatalogsAsLeft(opened).catch(() => false)) return state; // what has failed does so below, too, where it is told
  const { describeDrift } = await import('./drift.js');
  const drift = await describeDrift({ call, session, tables, applied: state.applied, history });
  const findings = [...state.findings, ...drift];
  if (errorsOf(drift).length > 0) throw outOfSync(history, findings);
  return { ...state, findings };
}

// The locked path costs knex, the checks and more to load: an up-to-date boot does not.
async function bringToHead(opened: Opened, state: State): Promise<Outcome> {
  const { call, history } = opened;
  if (call.config.mode === 'wait') return nothingToDo(call, await (await import('./wait-for-head.js')).waitForHead({ ...opened, state }));
  if (call.config.mode === 'apply') return await (await import('./migrate.js')).migrateUnderLock(opened, 'head');
  throw outOfSync(history, state.findings);
}

function outOfSync({ facts }: History, findings: readonly Finding[]): MigrationError {
  return findingsError('EM_OUT_OF_SYNC', `the database "${facts.database}" is not in sync with this code`, findings);
}

function tellReady(call: Call, outcome: Outcome): Outcome {
  const { status, to, applied, findings, timings } = outcome;
  for (const finding of findings) call.report[finding.level === 'info' ? 'info' : 'warn']('check.finding', { ...finding });
  call.report[status === 'migrated' ? 'info' : 'debug']('boot.ready', { status, revision: to, appliedCount: applied.length, timings });
  return outcome;
}

function tellFailed(call: Call, error: MigrationError): void {
  call.report.error('boot.failed', toldOf(error));
}

function toldOf({ code, remedy, message }: MigrationError): Fields {
  return { code, remedy, ...(quoting.has(code) ? {} : { message }) };
}

// Their messages quote statements and what the server said of them, with values: these stand in the thrown error only.
const quoting: ReadonlySet<ErrorCode> = new Set([
  'EM_MIGRATION_FAILED',
  'EM_TRANSACTION_BROKEN',
  'EM_NOT_COMMITTED',
  'EM_VERIFY_FAILED',
  'EM_BACKFILL_INVALID',
  'EM_NOT_ALL_MIGRATED', // of others
  'EM_INTERNAL',
]);
