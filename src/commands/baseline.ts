import { writeBaseline } from '../baseline-file.js';
import type { Call } from '../call.js';
import type { Options } from '../config/index.js';
import type { Target } from '../plan.js';
import { learnWhole } from '../proof.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { stampDatabase, type Stamped } from '../stamp.js';

/** At which migration the database stands. */
export interface BaselineOptions {
  /** Where the project has migrations: the one at which the database stands, by its name or a unique part of it. */
  readonly at?: string | undefined;
}

/** What adopting a database has recorded. */
export interface Baselined extends Stamped {
  /** The first migration, where one was written. */
  readonly file: string | undefined;
}

/**
 * Adopts an existing database. Without migrations in the directory its schema is written as the first one, by pg_dump, so that a fresh
 * database can be built from the same files. Then it is proved: the files up to `at`, or the new one, are run in a scratch database (the
 * role needs CREATEDB), and the catalogs are compared. Only then are they recorded, without a batch, under the lock. Throws
 * EM_SCHEMA_DIFFERS with every difference, EM_PLAN_REFUSED, EM_SCRATCH_UNAVAILABLE and EM_REPLAY_FAILED; nothing is recorded then,
 * and the file is removed.
 */
export async function baseline(options: Options, { at }: BaselineOptions = {}): Promise<Baselined> {
  return await runOnHistory({ ...options, mode: 'apply', baseline: undefined }, async (call) => {
    if (at !== undefined) return Object.freeze({ ...(await adopt(call, { to: at })), file: undefined });
    await using written = await writeBaseline(call);
    const stamped = await adopt(call, 'head');
    written.keep();
    return Object.freeze({ ...stamped, file: written.file });
  });
}

async function adopt(call: Call, target: Target): Promise<Stamped> {
  await using opened = await openDatabase(call);
  const refusal = 'the migrations do not make the schema that this database has';
  return await stampDatabase(opened, { target, history: 'must-be-empty', proof: 'needed', learn: learnWhole, refusal });
}
