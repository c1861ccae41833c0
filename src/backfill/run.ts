import { MigrationError } from '../errors.js';
import type { Session } from '../session/index.js';
import { pause } from './pause.js';
import { isOpen, readProgress, type BackfillProgress } from './progress.js';
import { Telling } from './telling.js';
import { Throttle } from './throttle.js';
import { Worker, type Crew } from './worker.js';

const pollMs = { least: 100, most: 1_000 };

/**
 * Works on the backfills of a crew until there is nothing more to do for any of them, be it because others have done it, and gives what they have come to:
 * some may be paused, failed or unverified. Throws EM_BACKFILL_UNFINISHED where what is left cannot be done by this code; EM_LOST_SESSION, EM_ABORTED.
 */
export async function workToTheEnd(crew: Crew, session: Session): Promise<readonly BackfillProgress[]> {
  const telling = new Telling(crew, session);
  try {
    return await work(crew, session, telling);
  } catch (error) {
    if (crew.call.stop.aborted) await telling.stopped();
    throw error;
  }
}

async function work(crew: Crew, session: Session, telling: Telling): Promise<readonly BackfillProgress[]> {
  const worker = new Worker(crew);
  if ((await readProgress(session, crew.tables)).length === 0) return []; // nor need there be a table of them
  const throttle = new Throttle(crew.call, crew.tables, crew.call.config.throttle);
  for (;;) {
    crew.call.stop.throwIfAborted();
    await telling.whenDue();
    if ((await throttle.paced(session, () => worker.turn(session))) === 'worked') continue;
    const all = await readProgress(session, crew.tables, crew.names);
    const open = all.filter(isOpen);
    if (open.length === 0) return all;
    const refused = open.filter(({ name }) => worker.refused.has(name));
    if (refused.length === open.length) throw notHere(worker, refused);
    await pause(crew.call, pollMs.least + Math.random() * (pollMs.most - pollMs.least)); // others are at them
  }
}

function notHere({ refused }: Worker, left: readonly BackfillProgress[]): MigrationError {
  const lines = left.map(({ name }) => `- ${name}: ${refused.get(name)}`);
  return new MigrationError('EM_BACKFILL_UNFINISHED', ['this code cannot work on what is left:', ...lines].join('\n  '), {
    remedy: 'Let a release that has the definition finish it, or end it with `ensure-migrated backfill cancel` and enqueue another.',
  });
}
