import type { Call } from './call.js';
import { isProduction, type Config } from './config/index.js';
import { findingsError, isMigrationError, MigrationError, withLine } from './errors.js';
import { schemaOf } from './history/index.js';
import { coveredBy, findingOf, readBuilt, type Built } from './likeness.js';
import { buildModel, declare, type ModelFile } from './model/index.js';
import { learnWhole, type Expected } from './proof.js';
import type { Opened } from './run-call.js';
import { withScratch } from './scratch.js';
import { stampLocked } from './stamp.js';
import { planStamp } from './stamping.js';
import { compareCreated } from './triangle.js';
import { underLock, type Locked } from './under-lock.js';

export interface CreateRequest {
  readonly files: readonly ModelFile[];
  /** `head`: the migrations are recorded as applied, after it is proved that they make the same. */
  readonly stamp: 'head' | undefined;
}

/** What create-all has done. Plain data, frozen. */
export interface Created {
  /** False where the database was what the model declares already. */
  readonly created: boolean;
  readonly database: string;
  /** The migrations that were recorded. */
  readonly recorded: readonly string[];
}

/** Throws EM_PLAN_REFUSED in the environment `production`, whatever the option `environment` says beside NODE_ENV. */
export function refuseProduction(config: Config): void {
  if (isProduction(config))
    throw refused('create-all is for development and tests, and this is the environment "production"', 'Use upgrade.');
}

/**
 * Makes a model in an empty database, in one transaction and under the lock of a boot. Whoever finds it made has nothing to do. Throws
 * EM_PLAN_REFUSED for a database with a history, EM_SCHEMA_DIFFERS for one that holds something else, or where migrations that do not make
 * the same are to be recorded, and EM_MODEL_INVALID; nothing is changed then.
 */
export async function createSchema(opened: Opened, { files, stamp }: CreateRequest): Promise<Created> {
  const expected = stamp && (await expectSame(opened, files));
  const work = async (locked: Locked) => await new Creation(opened, files, expected).run(locked);
  return await underLock(opened, { work, onFailure: 'as-before' });
}

// Before anything is made: a model that the migrations do not make is not their head.
async function expectSame(opened: Opened, files: readonly ModelFile[]): Promise<Expected> {
  const { call, migrations } = opened;
  const state = { applied: [], ahead: [], missing: [], duplicates: [] };
  const learned = await learnWhole(opened, planStamp({ target: 'head', history: 'must-be-empty', state, migrations }));
  const expected = { ...learned, missesIn: (live: Built) => learned.missesIn(covered(call, live)) };
  const misses = expected.missesIn(await buildBeside(opened, files));
  if (misses.length === 0) return expected;
  throw findingsError('EM_SCHEMA_DIFFERS', 'the migrations do not make what the model declares', misses.map(findingOf));
}

class Creation {
  constructor(
    private readonly opened: Opened,
    private readonly files: readonly ModelFile[],
    /** What the migrations make; undefined where they are not to be recorded. */
    private readonly expected: Expected | undefined,
  ) {}

  async run(locked: Locked): Promise<Created> {
    const { call, session, tables, history } = locked;
    const recording = this.judgeHistory(locked);
    const live = covered(call, await readBuilt(session, tables, call.config.timeouts.lockMs));
    const created = isEmpty(live);
    if (created) await declare(session, this.files);
    else await this.refuseOther(live);
    const recorded = recording ? await record(locked, recording) : [];
    if (!recording) await locked.release();
    return Object.freeze({ created, database: history.facts.database, recorded: Object.freeze(recorded) });
  }

  // One that was stamped with all migrations a moment ago is what somebody else has made, with the same model.
  private judgeHistory({ scope, history: { applied = [] }, migrations }: Locked): Expected | undefined {
    if (scope === 'xact') throw refused('create-all does not go through a connection pooler', 'Give `directConnection`.');
    if (applied.length === 0) return this.expected;
    if (this.expected !== undefined && applied.length === migrations.length) return undefined;
    throw refused(`this database has a history, the last migration is ${applied.at(-1)}`, 'Use upgrade, or take an empty database.');
  }

  private async refuseOther(live: Built): Promise<void> {
    const { call } = this.opened;
    const findings = compareCreated(covered(call, await buildBeside(this.opened, this.files)), live);
    if (findings.length > 0)
      throw findingsError('EM_SCHEMA_DIFFERS', 'this database is not empty, and not what the model declares', findings);
  }
}

async function record(locked: Locked, expected: Expected): Promise<readonly string[]> {
  const learn = async () => await Promise.resolve(expected);
  const refusal = 'the migrations do not make the schema that this database has now';
  try {
    const stamped = await stampLocked(locked, { target: 'head', history: 'must-be-empty', proof: 'needed', learn, refusal });
    return stamped.recorded;
  } catch (error) {
    throw isMigrationError(error) ? withLine(error, 'The schema stands, and is not stamped.') : error;
  }
}

async function buildBeside({ call, session, tables, history }: Opened, files: readonly ModelFile[]): Promise<Built> {
  const schema = schemaOf(tables, history.facts);
  return await withScratch({ call, session }, async (scratch) => await buildModel({ call, scratch, files, schema }));
}

function covered({ config: { schema } }: Call, built: Built): Built {
  return schema === undefined ? built : coveredBy(schema, built);
}

// What a database has from the start, or from whoever has prepared it.
const beginnings: ReadonlySet<string> = new Set(['schema', 'extension', 'grant', 'default privileges', 'comment']);

function isEmpty({ schema }: Built): boolean {
  return schema.lines.every(({ kind }) => beginnings.has(kind));
}

function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was changed.` });
}
