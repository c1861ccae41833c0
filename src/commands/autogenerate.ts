import { generate, type Generated, type GenerateRequest } from '../autogenerate/index.js';
import type { Options } from '../config/index.js';
import { refreshSnapshot } from '../snapshot.js';
import { listMigrations } from '../source/index.js';
import { atWorkplace } from '../workplace.js';

/** What a generated migration is called, what was decided of renames and data loss, and where scratch databases are made. */
export interface AutogenerateOptions extends GenerateRequest {
  /** Asks no server: everything is built on the embedded PostgreSQL. */
  readonly embedded?: boolean | undefined;
}

/**
 * Writes the migrations that lead from what the migrations make to what the model (the option `schema`) declares, each with its way down, and
 * proves them in scratch databases before they stay. Writes nothing where nothing differs. No database has to be at head, and none is changed. Needs
 * the package @supabase/pg-delta. Where `schema.snapshot` is there, and not in production, it is written anew. Throws EM_DIFFER_MISSING, EM_PLAN_REFUSED where rows would be destroyed and nobody has allowed it,
 * EM_DIFF_INCOMPLETE where the files would not make exactly what the model declares, EM_MODEL_INVALID, EM_REPLAY_FAILED, EM_SCRATCH_UNAVAILABLE.
 */
export async function autogenerate(options: Options, { embedded, ...request }: AutogenerateOptions): Promise<Generated> {
  return await atWorkplace(options, embedded ? 'embedded' : 'given', async (place) => {
    const generated = await generate(place, request);
    if (generated.migrations.length === 0) return generated;
    const found = await refreshSnapshot({ ...place, migrations: await listMigrations(place.call.config.migrations) });
    return found.length === 0 ? generated : Object.freeze({ ...generated, findings: Object.freeze([...generated.findings, ...found]) });
  });
}
