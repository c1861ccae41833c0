import type { Options } from '../config/index.js';
import { createSchema, refuseProduction, type Created } from '../create-all.js';
import { MigrationError } from '../errors.js';
import { loadModel } from '../model/index.js';
import { openDatabase, runOnHistory } from '../run-call.js';

/** Whether the migrations are recorded, too. */
export interface CreateAllOptions {
  /** `head`: records the migrations as applied, after it is proved that they make the same. */
  readonly stamp?: 'head' | undefined;
}

/**
 * Makes what the model (the option `schema`) declares in an empty database, in one transaction: for development and tests, where no rows are to be
 * kept. Several at once do not collide: the first makes it, the others find it made. Throws EM_PLAN_REFUSED in production and for a database
 * with a history, EM_SCHEMA_DIFFERS for one that holds something else, EM_MODEL_INVALID; nothing is changed then.
 */
export async function createAll(options: Options, { stamp }: CreateAllOptions = {}): Promise<Created> {
  return await runOnHistory({ ...options, mode: 'apply', baseline: undefined }, async (call) => {
    refuseProduction(call.config);
    if (stamp !== undefined && stamp !== 'head') throw refusedStamp(stamp);
    const files = await loadModel(call.config.schema);
    await using opened = await openDatabase(call, stamp ? 'with migrations' : 'alone');
    return await createSchema(opened, { files, stamp });
  });
}

function refusedStamp(stamp: string): MigrationError {
  const remedy = 'Stamp head, or use `stamp` afterwards. Nothing was changed.';
  return new MigrationError('EM_PLAN_REFUSED', `a model is what all migrations make, not those up to "${stamp}"`, { remedy });
}
