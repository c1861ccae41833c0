/** Makes one migration of many. The only door of this room. */
import { rmSync } from 'node:fs';
import { loadMigrations } from '../apply/index.js';
import { callUnder } from '../call.js';
import { Draft } from '../revision/index.js';
import type { Workplace } from '../workplace.js';
import { chooseSquash, filesOf, refused } from './choose.js';
import { dumpChain, type Rows } from './dump.js';
import { proveSquash } from './gate.js';
import { writeSquash } from './write.js';

export interface SquashRequest {
  /** The last of the migrations that become one: its name, or a unique part of it. */
  readonly to: string;
  /**
   * What becomes of the rows that the old migrations write, and of where they move sequences to: `keep` writes it into the new one as inserts
   * and setval(), `leave-out` makes the schema alone. Where there is such, one of the two has to be said.
   */
  readonly rows?: Rows | undefined;
  /** Removes the files of the old migrations once the new one is proved. Default: they stay, and it runs in their place where none has run. */
  readonly remove?: boolean | undefined;
}

/** What was squashed. Plain data, frozen. */
export interface SquashResult {
  /** The new migration, as the history of a fresh database will have it. */
  readonly name: string;
  /** What was written, absolute. */
  readonly files: readonly string[];
  /** The names that it stands for. */
  readonly replaced: readonly string[];
  /** Files that were removed, absolute. */
  readonly removed: readonly string[];
  /** Files that can be removed once every database has all that is replaced, absolute. */
  readonly removable: readonly string[];
  /** How many objects were compared. */
  readonly comparedCount: number;
}

/**
 * Runs the migrations up to a revision in a scratch database, and writes what they make as one (by pg_dump); then runs that one, alone and with all
 * that come after it, and its way back where each of the old ones has one, in another, and compares the catalogs and the rows. The way back is
 * not written where one of them has none. Throws EM_PLAN_REFUSED, EM_DIFF_INCOMPLETE, EM_REPLAY_FAILED, EM_SCRATCH_UNAVAILABLE, and EM_CONFIG_INVALID for a
 * directory that cannot be written; no file is written or removed then.
 */
export async function squashMigrations(place: Workplace, { to, rows, remove }: SquashRequest): Promise<SquashResult> {
  refuseOther(rows);
  const chosen = await chooseSquash(place.call.config.migrations, to);
  using draft = Draft.in(chosen.directory);
  const loaded = await loadMigrations(place.call, chosen.migrations, 'up');
  const way = loaded.every(({ down }) => down !== undefined) ? 'back, too' : 'up only';
  const chain = await dumpChain(place, chosen, rows);
  const written = writeSquash(draft, { chosen, scripts: chain.scripts, way });
  const drafting = { ...place, call: callUnder(place.call, { migrations: draft.under(place.call.config.migrations) }) };
  await proveSquash(drafting, { chosen, chain, way });
  draft.publish(written);
  const old = chosen.migrations.flatMap(filesOf);
  if (remove) removeAll(old);
  return Object.freeze({
    name: chosen.name,
    files: Object.freeze(written.map((file) => draft.placeOf(file))),
    replaced: Object.freeze(chosen.replaces.map(({ name }) => name)),
    removed: Object.freeze(remove ? old : []),
    removable: Object.freeze(remove ? [] : old),
    comparedCount: chain.squashed.schema.lines.length,
  });
}

function refuseOther(rows: string | undefined): void {
  if (rows === undefined || rows === 'keep' || rows === 'leave-out') return;
  throw refused(`rows: expected keep or leave-out; got ${JSON.stringify(rows)}`, 'Give one of the two, or neither.');
}

function removeAll(files: readonly string[]): void {
  for (const file of files) rmSync(file, { force: true });
}
