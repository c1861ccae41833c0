import { loadMigrations, readResumable } from './apply/index.js';
import { runChecks } from './checks/index.js';
import { describeDrift } from './drift.js';
import { isMigrationError, withoutRemedy, type ErrorCode, type MigrationError } from './errors.js';
import type { Finding } from './finding.js';
import { checkGates } from './gate.js';
import { resolved, type JournalEntry } from './history/index.js';
import { breakingIn, emptyAmong, lintPlan, withoutRepeated, type BreakingMigration } from './lint-plan.js';
import { planUpgrade } from './plan.js';
import { isPooled } from './pooler.js';
import { readState } from './read-state.js';
import type { Opened } from './run-call.js';
import { migrationId, type LoadedMigration, type Migration } from './source/index.js';
import { baselineOf, withoutStamped, withoutUnmanaged } from './state.js';
import type { FullState } from './under-lock.js';

/** What a boot would find before its first change. */
export interface Foreseen {
  readonly pending: readonly string[];
  readonly breaking: readonly BreakingMigration[];
  readonly findings: readonly Finding[];
}

/**
 * Asks all that a boot in mode `apply` asks before its first change, without the lock: the state with its rules, whether what is pending can be loaded
 * and planned, the checks, drift. Goes on after what a boot would stop at, so that all of it is told together. Imports what is pending;
 * writes nothing, and leaves no transaction open. `held`: somebody holds the lock, so what the journal has begun is not unfinished.
 */
export async function foresee(opened: Opened, lock: 'held' | 'free'): Promise<Foreseen> {
  const { history, session } = opened;
  if (!isPooled(opened)) await session.hold('direct', history.facts); // the settings that a boot has, and the checks judge
  const place = { ...opened, tables: resolved(opened) };
  const findings: Finding[] = [];
  const state = await readState({ ...place, resumable: async (journal) => await goingOn(place, lock, journal) });
  const stamped = (await orFindings(findings, () => baselineOf(place.call.config, state, place.migrations))) ?? [];
  findings.push(...withoutUnmanaged(state.findings, stamped));
  const pending = withoutStamped(state.pending, stamped);
  const loaded = await loadEach(place, pending, findings);
  const plan = await orFindings(findings, () =>
    planUpgrade({ pending: loaded, applied: state.applied, migrations: place.migrations, ...planOptions(place) }),
  );
  const checked = await ask(place, loaded);
  const lint = plan && (await lintPlan(place, plan));
  const gates = plan ? await checkGates({ ...place, pending: loaded, transaction: plan.transaction }) : [];
  const linted = [...withoutRepeated(lint?.findings ?? [], checked), ...emptyAmong(lint?.captured ?? [])];
  findings.push(...checked, ...linted, ...gates, ...(await drift(place, state)));
  return { pending: pending.map(({ name }) => name), breaking: plan ? breakingIn(plan, lint) : [], findings };
}

/** The same where the migrations cannot be listed: nothing can be compared then. */
export async function foreseeWithout(opened: Opened): Promise<Foreseen> {
  if (!isPooled(opened)) await opened.session.hold('direct', opened.history.facts);
  return { pending: [], breaking: [], findings: await ask({ ...opened, tables: resolved(opened) }, []) };
}

/**
 * Does the work, or makes findings of what it refuses: those of its error, or one of its own. What says nothing of the database or the code (a lost
 * session, a stop) is thrown.
 */
export async function orFindings<T>(findings: Finding[], work: () => Promise<T> | T, at?: Finding['at']): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isMigrationError(error) || !foreseeable.has(error.code)) throw error;
    findings.push(...(error.findings.length > 0 ? error.findings : [findingOf(error, at)]));
    return undefined;
  }
}

const foreseeable: ReadonlySet<ErrorCode> = new Set([
  'EM_NO_MIGRATIONS',
  'EM_MIGRATION_INVALID',
  'EM_TYPESCRIPT_UNSUPPORTED',
  'EM_MIGRATION_STALLED',
  'EM_PLAN_REFUSED',
  'EM_CHECK_FAILED',
]);

function findingOf(error: MigrationError, at?: Finding['at']): Finding {
  const { code, remedy } = error;
  const what = `a boot ends with ${code}: ${withoutRemedy(error)}`;
  return { code: 'boot-refused', level: 'error', message: what, remedy, ...(at && { at }) };
}

// What the next boot simply runs again, and what is running now.
async function goingOn(place: Opened, lock: 'held' | 'free', journal: readonly JournalEntry[]): Promise<ReadonlySet<string>> {
  const resumable = [...(await readResumable(place, 'up', journal)).keys()];
  const { owner } = place.history;
  const running = lock === 'held' ? journal.filter(({ run }) => run === owner?.run) : [];
  return new Set([...resumable, ...running.map(({ migration }) => migrationId(migration))]);
}

async function loadEach({ call }: Opened, pending: readonly Migration[], findings: Finding[]): Promise<LoadedMigration[]> {
  const loaded: LoadedMigration[] = [];
  for (const migration of pending) {
    const at = { migration: migration.name, ...(migration.file !== undefined && { file: migration.file }) };
    loaded.push(...((await orFindings(findings, async () => await loadMigrations(call, [migration], 'up'), at)) ?? []));
  }
  return loaded;
}

function planOptions(place: Opened) {
  const { transaction, migrations } = place.call.config;
  return { transaction, disableTransactions: migrations.disableTransactions, pooled: isPooled(place) };
}

async function ask(place: Opened, pending: readonly LoadedMigration[]): Promise<readonly Finding[]> {
  const { call, session, tables, history } = place;
  const { facts, applied, journal } = history;
  return await runChecks({ call, session, facts, tables, applied, journal, pending, direction: 'up', pooled: isPooled(place) });
}

async function drift({ call, session, tables, history }: Opened, { applied }: FullState): Promise<readonly Finding[]> {
  return history.applied === undefined ? [] : await describeDrift({ call, session, tables, applied, history });
}
