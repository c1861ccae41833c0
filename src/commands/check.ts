import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { errorsOf, type Finding } from '../finding.js';
import { coveredBy, readBuilt, type Built } from '../likeness.js';
import { buildModel, loadModel } from '../model/index.js';
import { buildReplayed, type Replayed } from '../replayed.js';
import { withScratch } from '../scratch.js';
import { checkSnapshot, writeSnapshot } from '../snapshot.js';
import { pendingAmong } from '../squashed.js';
import { compareCorners, compareDatabase } from '../triangle.js';
import { atWorkplace, type Workplace } from '../workplace.js';

/** What is compared, and where scratch databases are made. */
export interface CheckOptions {
  /** Asks no server: model and migrations are built on the embedded PostgreSQL, and no database is looked at. */
  readonly embedded?: boolean | undefined;
  /** `write`: the file `schema.snapshot` is written, also where there is none yet. Default `compare`. */
  readonly snapshot?: 'compare' | 'write' | undefined;
}

/** Whether model, migrations and database are one. The names and meanings of these fields are kept. */
export interface Checked {
  readonly ok: boolean;
  /** Where they are not, one for each object. */
  readonly findings: readonly Finding[];
  /** What was held against each other. */
  readonly compared: readonly ('model' | 'migrations' | 'database' | 'snapshot')[];
  /** The database that was compared; undefined where it has no history, or where none was asked. */
  readonly database: string | undefined;
  /** What it has not applied yet. Then it is compared with the migrations up to there, and not with the model. */
  readonly pending: readonly string[];
}

/**
 * Compares what the model declares with what the migrations make of an empty database, both built in scratch databases, and a database that has
 * a history with both; and the snapshot, where the project keeps one, with the migrations. Without a server on the embedded PostgreSQL. Writes nothing but scratch databases, and the snapshot where
 * it is told to. Throws EM_MODEL_INVALID and
 * EM_REPLAY_FAILED where one of them does not run, EM_SCRATCH_UNAVAILABLE.
 */
export async function check(options: Options, { embedded, snapshot = 'compare' }: CheckOptions = {}): Promise<Checked> {
  return await atWorkplace(options, embedded ? 'embedded' : 'given', async (place) => {
    const { call, history, migrations } = place;
    const { applied = [] } = history;
    const text = call.config.schema?.snapshot;
    if (snapshot === 'write') await writeSnapshot(place, namedSnapshot(text));
    const model = await buildDeclared(place);
    const replayed = await buildReplayed(place, 'head');
    const database = place.server === 'given' && applied.length > 0 ? await readDatabase(place) : undefined;
    const pending = database ? pendingAmong(migrations, applied).map(({ name }) => name) : [];
    const findings = [
      ...compareAll(place, { model, replayed, database, isBehind: pending.length > 0 }),
      ...(text === undefined || snapshot === 'write' ? [] : await checkSnapshot(place, text)),
    ];
    return Object.freeze({
      ok: errorsOf(findings).length === 0,
      findings: Object.freeze(findings),
      compared: Object.freeze([
        ...(model ? ['model' as const] : []),
        'migrations' as const,
        ...(database ? ['database' as const] : []),
        ...(text === undefined ? [] : ['snapshot' as const]),
      ]),
      database: database && history.facts.database,
      pending: Object.freeze(pending),
    });
  });
}

// A project may keep a snapshot without a model: then the other two corners are compared.
async function buildDeclared(place: Workplace): Promise<Built | undefined> {
  const { call, schema } = place;
  const source = call.config.schema;
  if (source?.snapshot !== undefined && source.files.length === 0) return undefined;
  const files = await loadModel(source);
  return await withScratch(place, async (scratch) => await buildModel({ call, scratch, files, schema }));
}

async function readDatabase({ call, session, tables }: Workplace): Promise<Built> {
  return await readBuilt(session, tables, call.config.timeouts.lockMs);
}

interface Compared {
  readonly model: Built | undefined;
  readonly replayed: Replayed;
  readonly database: Built | undefined;
  /** The database has not applied all. */
  readonly isBehind: boolean;
}

function compareAll({ call }: Workplace, { model, replayed, database, isBehind }: Compared): Finding[] {
  const covered = (built: Built) => coveredBy(call.config.schema ?? { include: [], exclude: [] }, built);
  const apart = database && (isBehind || !model) ? compareDatabase(covered(replayed.applied), covered(database)) : [];
  if (!model) return apart;
  const together = database && !isBehind ? covered(database) : undefined;
  return [...compareCorners({ model: covered(model), migrations: covered(replayed.head), database: together }), ...apart];
}

function namedSnapshot(file: string | undefined): string {
  if (file !== undefined) return file;
  const remedy = 'Name the file: the option `schema.snapshot` of the configuration file.';
  throw new MigrationError('EM_CONFIG_INVALID', 'the option `schema` does not say where the snapshot is.', { remedy });
}
