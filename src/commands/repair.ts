import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import {
  recordActions,
  repairLock,
  repairRecord,
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
  /** A name or a unique part of one; not for `lock`. */
  readonly migration?: string | undefined;
  /** Why, in a few words: it goes on record with who does it. */
  readonly reason: string;
  /** `lock` only: ends the session that holds the migration lock. */
  readonly terminate?: boolean | undefined;
  /** Goes on without asking. Not needed where `environment` is `test`. */
  readonly yes?: boolean | undefined;
  /** Asks a person, before the lock is taken. */
  readonly confirm?: ((question: RepairQuestion) => Promise<boolean>) | undefined;
}

/** What stood on record, or who held the locks, before and after. Plain data, frozen. */
export type Repaired = RecordRepair | LockRepair;

/**
 * Mends what is on record of one migration, or frees what a dead process has locked. Never runs a migration, and never touches what one has
 * made. The change and the journal row with who and why are one transaction, under the lock of a boot and with knex shut out; how the last run
 * ended stays as it was, for the next boot to verify. Waits for a boot that is at work, but for `lock`, which refuses then.
 * Throws EM_CONFIG_INVALID for a request that makes no sense, EM_REPAIR_REFUSED where the repair does not fit what is there, EM_PLAN_REFUSED for
 * a name that means no or several migrations, EM_NOT_CONFIRMED; each before anything is changed.
 */
export async function repair(options: Options, { action, migration, terminate, ...request }: RepairOptions): Promise<Repaired> {
  const problems = problemsOf({ action, migration, terminate, ...request });
  if (problems.length > 0) throw invalid(problems);
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    await using opened = await openDatabase(call);
    return action === 'lock'
      ? await repairLock(opened, { ...request, terminate })
      : await repairRecord(opened, { ...request, action, migration: migration as string });
  });
}

function problemsOf({ action, migration, terminate, reason }: RepairOptions): string[] {
  const known = repairActions.includes(action);
  return [
    ...(known ? [] : [`action: expected one of ${repairActions.join(', ')}; got '${String(action)}'`]),
    ...(known && action !== 'lock' && !migration ? [`migration: expected the name of the migration to ${action}, or a part of it`] : []),
    ...(action === 'lock' && migration ? [`migration: expected none, since 'lock' is about no migration; got '${migration}'`] : []),
    ...(action !== 'lock' && terminate ? [`terminate: expected with 'lock' only`] : []),
    ...(typeof reason === 'string' && /\p{L}/u.test(reason) ? [] : ['reason: expected why this is right, in a few words']),
  ];
}

function invalid(problems: readonly string[]): MigrationError {
  const remedy = `Give what is missing: ensure-migrated repair <action> <migration> --reason "...". Nothing was changed.`;
  return new MigrationError('EM_CONFIG_INVALID', ['the repair is not valid:', ...problems].join('\n  '), { remedy });
}
