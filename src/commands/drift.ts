import type { Options } from '../config/index.js';
import { changesSince, readLastShape } from '../drift.js';
import { coveredBy, differences, readBuilt, type Built } from '../likeness.js';
import { buildReplayed } from '../replayed.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import { mendOf, type Change } from '../schema/index.js';

/** What is not looked at, and what the schema is held against. */
export interface DriftOptions {
  /** Schemas (`app`) and objects (`app.tmp_*`, with all that belongs to them) that are not looked at. */
  readonly ignore?: readonly string[] | undefined;
  /** Compares also with what the applied migrations make in a scratch database. */
  readonly replay?: boolean | undefined;
}

/** One object that is not as it was left. */
export interface DriftedObject {
  /** `run`: as the last run left it. `migrations`: as the applied migrations make it. */
  readonly against: 'run' | 'migrations';
  readonly kind: string;
  /** `public.patients.email` */
  readonly identity: string;
  /** Undefined for what was not there. */
  readonly expected: string | undefined;
  /** Undefined for what is gone. */
  readonly actual: string | undefined;
  /** Statements that would bring it back, where they can be told; for a person to judge. */
  readonly mend: string | undefined;
}

/** What was changed behind the back of the migrations. The names and meanings of these fields are kept. */
export interface Drift {
  readonly ok: boolean;
  readonly database: string;
  /** When the last run stored the shape; undefined where it is not known, and nothing was compared with it. */
  readonly since: Date | undefined;
  readonly objects: readonly DriftedObject[];
}

/**
 * Compares the schema with what the last run has left, and, with `replay`, with what the applied migrations make in a scratch database. Takes
 * no lock but what reading the catalogs takes; writes nothing to this database. Throws EM_REPLAY_FAILED and EM_SCRATCH_UNAVAILABLE with `replay`.
 */
export async function drift(options: Options, { ignore = [], replay }: DriftOptions = {}): Promise<Drift> {
  return await runOnHistory({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call, replay ? 'with migrations' : 'alone');
    const { session, tables, history } = opened;
    const { applied = [] } = history;
    const seen = (built: Built) => coveredBy({ include: [], exclude: ignore }, built);
    const live = await readBuilt(session, tables, call.config.timeouts.lockMs);
    const left = history.journal === 'known' ? await readLastShape({ session, tables, applied }) : undefined;
    const fromRun = left ? changesSince(left.schema, live.schema, ignore) : [];
    const fromMigrations = replay ? differences(seen((await buildReplayed(opened, 'applied')).applied), seen(live)) : [];
    const objects = [
      ...fromRun.map((change) => objectOf('run', change)),
      ...fromMigrations.map((change) => objectOf('migrations', change)),
    ];
    return Object.freeze({ ok: objects.length === 0, database: history.facts.database, since: left?.at, objects: Object.freeze(objects) });
  });
}

function objectOf(against: DriftedObject['against'], change: Change): DriftedObject {
  const { kind, identity, stored, live } = change;
  return Object.freeze({ against, kind, identity, expected: stored, actual: live, mend: mendOf(change) });
}
