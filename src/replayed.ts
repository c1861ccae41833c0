import { inSchema, schemaOf } from './history/index.js';
import { readBuilt, type Built } from './likeness.js';
import { replay } from './replay.js';
import type { Opened } from './run-call.js';
import { withScratch } from './scratch.js';
import type { Session } from './session/index.js';
import { appliedAmong } from './squashed.js';

/** What the migrations make of an empty database. */
export interface Replayed {
  /** Those that the database has applied. */
  readonly applied: Built;
  /** All. */
  readonly head: Built;
}

/**
 * Runs the migrations in one scratch database: `applied` those that are recorded, and reads what they make; then, for `head`, all. Throws
 * EM_REPLAY_FAILED and EM_SCRATCH_UNAVAILABLE.
 */
export async function buildReplayed(opened: Opened, upTo: 'applied' | 'head'): Promise<Replayed> {
  const { call, session, history, migrations, tables } = opened;
  const schema = schemaOf(tables, history.facts);
  const ours = inSchema(tables, schema);
  const look = async (built: Session) => await readBuilt(built, ours, call.config.timeouts.lockMs);
  return await withScratch({ call, session }, async (scratch) => {
    const run = async (wanted: typeof migrations) => await replay({ call, scratch, migrations: wanted, schema }, look);
    const known = appliedAmong(migrations, history.applied ?? []);
    if (upTo === 'applied') return same(await run(known));
    if (known.length === 0 || known.length === migrations.length) return same(await run(migrations));
    return { applied: await run(known), head: await run(migrations) };
  });
}

function same(built: Built): Replayed {
  return { applied: built, head: built };
}
