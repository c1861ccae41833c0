import { sqlStateOf } from '../errors.js';
import type { Contents } from './contents.js';
import { damageOf, detect, isSameShape, isWhole, type Condition, type Leak } from './detect.js';
import { endLeaks, readLeaks } from './leaks.js';
import type { Link } from './link.js';
import { canMend, mend } from './mend.js';

/** A fresh copy of the template, known well enough to bring it back. It can be handed to another process. */
export interface Baseline {
  readonly contents: Contents;
  readonly statement: string;
  readonly fresh: Condition;
}

export interface Restored {
  /** `beyond`: a new copy is needed. */
  readonly how: 'untouched' | 'mended' | 'beyond';
  readonly leaks: readonly Leak[];
}

/** The connections that a database is restored by. */
export interface Restoring {
  readonly link: Link;
  /** Another one, kept: whoever sets session_replication_role loses all plans, and that of the detection takes longer to make than to run. */
  openMender(): Promise<Link>;
}

/**
 * Brings a database back to what the copy was: ends what a test has left open, asks in one round trip what differs, and puts rows and
 * sequences back. Nothing of the harness is in the database, neither before nor after. Where an object, a right or a setting differs, or
 * anything is refused, it says so and changes nothing.
 */
export async function restore({ link, openMender }: Restoring, baseline: Baseline): Promise<Restored> {
  const first = await look(link, baseline);
  const leaks = first === undefined ? await readLeaks(link) : first.leaks;
  if (leaks.length > 0) await endLeaks(link, leaks);
  const now = leaks.length > 0 || first === undefined ? await look(link, baseline) : first;
  if (now === undefined || now.leaks.length > 0 || !isSameShape(baseline.fresh, now)) return { how: 'beyond', leaks };
  const damage = damageOf(baseline.contents, baseline.fresh, now);
  if (isWhole(damage)) return { how: 'untouched', leaks };
  if (!canMend(baseline.contents, damage)) return { how: 'beyond', leaks };
  try {
    await mend({ link: await openMender(), ...baseline, damage });
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error;
    return { how: 'beyond', leaks };
  }
  // A view whose content was older than its tables, or asks for the time, is not what it was.
  const isAsBefore =
    damage.views.length === 0 || isWhole(damageOf(baseline.contents, baseline.fresh, await detect(link, baseline.statement)));
  return { how: isAsBefore ? 'mended' : 'beyond', leaks };
}

// What the server refuses (the table is gone, or somebody holds it) tells enough.
async function look(link: Link, { statement }: Baseline): Promise<Condition | undefined> {
  try {
    return await detect(link, statement);
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error;
    return undefined;
  }
}
