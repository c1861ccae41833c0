import type { Options } from '../config/index.js';
import { errorsOf, type Finding } from '../finding.js';
import { readBuilt, type Built } from '../likeness.js';
import { buildModel, coveredBy, loadModel } from '../model/index.js';
import { buildReplayed } from '../replayed.js';
import { withScratch } from '../scratch.js';
import { pendingAmong } from '../squashed.js';
import { compareCorners, compareDatabase } from '../triangle.js';
import { atWorkplace } from '../workplace.js';

export interface CheckOptions {
  /** Asks no server: model and migrations are built on the embedded PostgreSQL, and no database is looked at. */
  readonly embedded?: boolean | undefined;
}

/** Whether model, migrations and database are one. The names and meanings of these fields are kept. */
export interface Checked {
  readonly ok: boolean;
  /** Where they are not, one for each object. */
  readonly findings: readonly Finding[];
  /** The database that was compared; undefined where it has no history, or where none was asked. */
  readonly database: string | undefined;
  /** What it has not applied yet. Then it is compared with the migrations up to there, and not with the model. */
  readonly pending: readonly string[];
}

/**
 * Compares what the model declares with what the migrations make of an empty database, both built in scratch databases, and a database that has
 * a history with both. Without a server on the embedded PostgreSQL. Writes nothing but scratch databases. Throws EM_MODEL_INVALID and
 * EM_REPLAY_FAILED where one of them does not run, EM_SCRATCH_UNAVAILABLE.
 */
export async function check(options: Options, { embedded }: CheckOptions = {}): Promise<Checked> {
  return await atWorkplace(options, embedded ? 'embedded' : 'given', async (place) => {
    const { call, history, migrations } = place;
    const { applied = [] } = history;
    const files = await loadModel(call.config.schema);
    const covered = (built: Built) => coveredBy(call.config.schema ?? { include: [], exclude: [] }, built);
    const replayed = await buildReplayed(place, 'head');
    const model = await withScratch(place, async (scratch) => await buildModel({ call, scratch, files, schema: place.schema }));
    const database =
      place.server === 'given' && applied.length > 0
        ? await readBuilt(place.session, place.tables, call.config.timeouts.lockMs)
        : undefined;
    const pending = database ? pendingAmong(migrations, applied).map(({ name }) => name) : [];
    const [declared, made] = [covered(model), covered(replayed.head)];
    const findings =
      database && pending.length > 0
        ? [
            ...compareCorners({ model: declared, migrations: made, database: undefined }),
            ...compareDatabase(covered(replayed.applied), covered(database)),
          ]
        : compareCorners({ model: declared, migrations: made, database: database && covered(database) });
    return Object.freeze({
      ok: errorsOf(findings).length === 0,
      findings: Object.freeze(findings),
      database: database && history.facts.database,
      pending: Object.freeze(pending),
    });
  });
}
