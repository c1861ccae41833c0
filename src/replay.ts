import { quietCall, type Call } from './call.js';
import { ruleTable, type Config, type RuleSetting } from './config/index.js';
import { isMigrationError, MigrationError, withoutRemedy, type ErrorCode } from './errors.js';
import { downgrade } from './downgrade.js';
import { readHistory, tablesOf, type Tables } from './history/index.js';
import { migrateUnderLock } from './migrate.js';
import type { Opened } from './run-call.js';
import type { Scratch } from './scratch.js';
import { openSession, type Follower, type Session } from './session/index.js';
import type { Migration } from './source/index.js';
import { identifier } from './sql.js';
import { underLock, type Locked } from './under-lock.js';

export interface ReplayRequest {
  /** Of the verb that asks: its options say how migrations run. */
  readonly call: Call;
  readonly scratch: Pick<Scratch, 'connection'>;
  /** Up to the revision that is asked for, in their order. What the scratch has of them already is not run again. */
  readonly migrations: readonly Migration[];
  /** Of the real database's history. A fresh database has to have it before the first migration. */
  readonly schema: string | undefined;
  /** Hears each statement that a migration sends, before it is sent. */
  readonly onStatement?: Session['onStatement'];
  readonly follower?: Follower;
}

/**
 * Runs migrations in a scratch database, in the way of a boot, so that what comes out is what a boot would make of an empty database; then
 * calls `look` with a session in it. Says nothing, refuses nothing by a rule, runs no checks of the user's; migrations and hooks run as ever.
 * Throws EM_REPLAY_FAILED where a migration does not run there; EM_ABORTED, and what `look` throws.
 */
export async function replay<T>(request: ReplayRequest, look: (session: Session) => Promise<T>): Promise<T> {
  const { migrations, schema, onStatement, follower } = request;
  const call = quietCall(request.call, configOf(request));
  const tables = tablesOf(call.config.migrations);
  await using session = await openSession(call);
  session.onStatement = onStatement;
  session.follower = follower;
  if (schema !== undefined) await session.query(`create schema if not exists ${identifier(schema)}`);
  await migrate({ call, session, migrations, tables });
  return await look(session);
}

/**
 * Takes back the newest of the migrations that a replay has run there, by their own `down`, so many as `count` says; then calls `look`. Throws
 * EM_REPLAY_FAILED where one does not run.
 */
export async function replayBack<T>(request: ReplayRequest, count: number, look: (session: Session) => Promise<T>): Promise<T> {
  const call = quietCall(request.call, configOf(request));
  const tables = tablesOf(call.config.migrations);
  await using session = await openSession(call);
  const history = await readHistory(session, tables);
  const confirmed = (history.applied ?? []).slice(-count).reverse();
  const work = async (locked: Locked) => await downgrade(locked, { target: { steps: count }, confirmed, losses: [] });
  await orFailed(async () => await underLock({ call, session, migrations: request.migrations, tables, history }, { work }));
  return await look(session);
}

async function migrate(place: Omit<Opened, 'history'> & { readonly tables: Tables }): Promise<void> {
  await orFailed(async () => await migrateUnderLock({ ...place, history: await readHistory(place.session, place.tables) }, 'head'));
}

async function orFailed(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw isMigrationError(error) && aboutMigrations.has(error.code) ? failed(error) : error;
  }
}

// Nothing stands in the way of a boot here that would be a fault of the real database.
function configOf({ call: { config }, scratch }: ReplayRequest): Config {
  const off: RuleSetting = { level: 'off', except: [] };
  const rules = Object.fromEntries(Object.keys(ruleTable).map((rule) => [rule, off])) as Config['rules'];
  const { connection } = scratch;
  return {
    ...config,
    connection,
    directConnection: undefined,
    mode: 'apply',
    backfills: 'blocking', // a gate is never too long a wait here
    baseline: undefined,
    expect: {},
    checks: [],
    rules,
    lint: false,
  };
}

// The rest is of the network, of the options, or of being stopped, and is as true of the call that asked.
const aboutMigrations: ReadonlySet<ErrorCode> = new Set([
  'EM_MIGRATION_FAILED',
  'EM_MIGRATION_STALLED',
  'EM_TRANSACTION_BROKEN',
  'EM_NOT_COMMITTED',
  'EM_VERIFY_FAILED',
  'EM_CHECK_FAILED',
  'EM_LOCK_LOST',
]);

function failed(cause: MigrationError): MigrationError {
  return new MigrationError('EM_REPLAY_FAILED', `the migrations do not run in an empty scratch database: ${withoutRemedy(cause)}`, {
    cause,
    findings: cause.findings,
  });
}
