import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { shellWord } from '../finding.js';
import {
  recordActions,
  repairLock,
  repairRecords,
  type LockRepair,
  type RecordAction,
  type RecordRepair,
  type RepairQuestion,
} from '../repair/index.js';
import { openDatabase, runOnHistory } from '../run-call.js';

/** What can be mended: the record of a migration, or a lock. */
export type RepairAction = RecordAction | 'lock';
/** Every repair, by the name under which it is asked for. */
export const repairActions: readonly RepairAction[] = [...recordActions, 'lock'];

/** What is to be mended, why, and whether somebody is asked first. */
export interface RepairOptions {
  readonly action: RepairAction;
  /** A name or a unique part of one, or several of them: all are mended, or none. Not for `lock`. */
  readonly migration?: string | readonly string[] | undefined;
  /** `accept` only, in place of `migration`: all that are edited. */
  readonly all?: boolean | undefined;
  /** Why, in a few words: it goes on record with who does it. */
  readonly reason: string;
  /** `lock` only: ends the session that holds the migration lock. */
  readonly terminate?: boolean | undefined;
  /** Goes on without asking. Not needed where `environment` is `test`. */
  readonly yes?: boolean | undefined;
  /** Asks a person, before the lock is taken. */
  readonly confirm?: ((question: RepairQuestion) => Promise<boolean>) | undefined;
}

/** What was mended where several names were given, or all. */
export interface RecordRepairs {
  readonly action: RecordAction;
  readonly repairs: readonly RecordRepair[];
}

/** What stood on record, or who held the locks, before and after; a list where several names were given, or all. Plain data, frozen. */
export type Repaired = RecordRepair | RecordRepairs | LockRepair;

/**
 * Mends what is on record of migrations, or frees what a dead process has locked. Never runs a migration, and never touches what one has
 * made. The change and the journal row with who and why are one transaction, under the lock of a boot and with knex shut out; how the last run
 * ended stays as it was, for the next boot to verify. Waits for a boot that is at work, but for `lock`, which refuses then.
 * Throws EM_CONFIG_INVALID for a request that makes no sense, EM_REPAIR_REFUSED where the repair does not fit what is there, EM_PLAN_REFUSED for
 * a name that means no or several migrations, EM_NOT_CONFIRMED; each before anything is changed.
 */
export async function repair(options: Options, request: RepairOptions): Promise<Repaired> {
  const problems = problemsOf(request);
  if (problems.length > 0) throw invalid(request, problems);
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    const { action, migration, all, ...asking } = request;
    if (action === 'lock') return await repairLock(opened, asking);
    const repairs = await repairRecords(opened, { ...asking, action, migrations: all ? 'all' : namesOf(migration) });
    const [only] = repairs;
    return only && typeof migration === 'string' ? only : Object.freeze({ action, repairs: Object.freeze(repairs) });
  });
}

function namesOf(migration: RepairOptions['migration']): readonly string[] {
  return typeof migration === 'string' ? [migration] : (migration ?? []);
}

function problemsOf({ action, migration, all, terminate, reason }: RepairOptions): string[] {
  const known = repairActions.includes(action);
  const names = namesOf(migration);
  const isNamed = names.length > 0 && names.every((name) => typeof name === 'string' && name !== '');
  const settles = action === 'done' || action === 'undone';
  return [
    ...(known ? [] : [`action: expected one of ${repairActions.join(', ')}; got '${String(action)}'`]),
    ...(known && action !== 'lock' && !isNamed && !all
      ? [`migration: expected the name of the migration to ${action}, or a part of it`]
      : []),
    ...(action === 'lock' && names.length > 0
      ? [`migration: expected none, since 'lock' is about no migration; got '${names.join(' ')}'`]
      : []),
    ...(settles && names.length > 1
      ? [`migration: expected one, since each that stopped half-way is a decision of its own; got '${names.join(' ')}'`]
      : []),
    ...(all && action !== 'accept' ? [`all: expected with 'accept' only`] : []),
    ...(all && names.length > 0 ? [`all: expected without a name; got '${names.join(' ')}'`] : []),
    ...(action !== 'lock' && terminate ? [`terminate: expected with 'lock' only`] : []),
    ...(typeof reason === 'string' && /\p{L}/u.test(reason) ? [] : ['reason: expected why this is right, in a few words']),
  ];
}

function invalid(request: RepairOptions, problems: readonly string[]): MigrationError {
  const remedy = `Give what is missing: ensure-migrated repair ${wordsOf(request)} --reason "...". Nothing was changed.`;
  return new MigrationError('EM_CONFIG_INVALID', ['the repair is not valid:', ...problems].join('\n  '), { remedy });
}

// What was asked for, where only the reason is missing.
function wordsOf(request: RepairOptions): string {
  const { action, migration, all } = request;
  const lacksReasonOnly = problemsOf({ ...request, reason: 'given' }).length === 0;
  if (lacksReasonOnly) return [action, ...(all ? ['--all'] : []), ...namesOf(migration).map(shellWord)].join(' ');
  return action === 'lock' ? action : '<action> <migration>';
}
