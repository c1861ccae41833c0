import { readShort } from '../boot-backfills.js';
import type { Options } from '../config/index.js';
import { sqlStateOf } from '../errors.js';
import { errorsOf, type Finding } from '../finding.js';
import type { BreakingMigration } from '../lint-plan.js';
import { lockKey, readHolder, type Holder } from '../lock.js';
import type { UnfinishedBackfill } from '../outcome.js';
import { aroundPooler } from '../pooler.js';
import { foresee, foreseeWithout, orFindings } from '../preflight.js';
import { readLocks, type Locks } from '../repair/index.js';
import { openDatabase, runOnHistory, type Opened } from '../run-call.js';
import { listMigrations } from '../source/index.js';
import { findWrongReplicas } from '../with-replicas.js';
import { knexLocked } from './knex-locked.js';

/** What a boot would find before its first change. The names and meanings of these fields are kept. */
export interface Preflight {
  /** Whether a boot would begin: no finding is an error. */
  readonly ok: boolean;
  readonly database: string;
  /** What a boot would apply. */
  readonly pending: readonly string[];
  /** Of `pending`, those that releases which run beside this one, or which it is rolled back to, cannot live with. No finding: a boot does not mind. */
  readonly breaking: readonly BreakingMigration[];
  /** Backfills that are not done. */
  readonly backfills: readonly UnfinishedBackfill[];
  readonly findings: readonly Finding[];
  /** The session that holds the migration lock, as far as this role may see: a boot would wait for it. */
  readonly lock: Holder | undefined;
}

/**
 * Asks all that a boot in mode `apply` asks before its first change, and tells all of it together, also what comes after a refusal. Imports the
 * pending migrations; takes no lock, waits for none, writes nothing. A role that may only read gets findings. Throws only what keeps it from asking:
 * EM_CONFIG_INVALID, EM_CONNECT_*, EM_LOST_SESSION, EM_ABORTED, and EM_CHECK_FAILED where this is another database than `expect` names, or
 * one whose history this role may not read.
 */
export async function preflight(options: Options): Promise<Preflight> {
  return await runOnHistory({ ...options, mode: 'apply' }, async (call) => {
    const findings: Finding[] = [];
    const list = async () => (await orFindings(findings, async () => await listMigrations(call.config.migrations))) ?? [];
    await using opened = await openDatabase(call, list);
    const { history, migrations } = opened;
    const { holder: lock, setBy } = await readLocksAsFar(opened);
    if (!lock && setBy === 'knex') findings.push(knexLocked());
    const ask = async (place: Opened) =>
      migrations.length > 0 ? await foresee(place, lock ? 'held' : 'free') : await foreseeWithout(place);
    const foreseen = await orFindings(findings, async () => await aroundPooler(opened, ask));
    findings.push(...(foreseen?.findings ?? []), ...(await findWrongReplicas(opened)));
    return Object.freeze({
      ok: errorsOf(findings).length === 0,
      database: history.facts.database,
      pending: Object.freeze(foreseen?.pending ?? []),
      breaking: Object.freeze(foreseen?.breaking ?? []),
      backfills: Object.freeze(await readShort(opened)),
      findings: Object.freeze(findings),
      lock,
    });
  });
}

// To look at the history is no right to look at knex's lock table: who holds ours can be seen by all.
async function readLocksAsFar({ session, tables, history }: Opened): Promise<Pick<Locks, 'holder' | 'setBy'>> {
  const key = lockKey(history.facts, tables);
  try {
    return await readLocks({ session, tables, key });
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    return { holder: await readHolder(session, key), setBy: undefined };
  }
}
