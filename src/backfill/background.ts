import type { Session } from '../session/index.js';
import { pause } from './pause.js';
import { isOpen, readProgress, type BackfillProgress } from './progress.js';
import { Throttle } from './throttle.js';
import { isUnfinished } from './unfinished.js';
import { Worker, type Crew } from './worker.js';

const pollMs = { least: 100, most: 5_000 };

/** What a round has come to: whether there was something to do, and what is left: others are at it, or it has stopped. */
export interface Round {
  readonly worked: boolean;
  readonly left: readonly BackfillProgress[];
}

/** Works as long as there is something to do. Throws EM_LOST_SESSION, EM_ABORTED, and what the server says. */
export function backgroundRound(crew: Crew): (session: Session) => Promise<Round> {
  const worker = new Worker(crew); // knows what it cannot work on, and has told it: one for all sessions
  const throttle = new Throttle(crew.call, crew.tables, crew.call.config.throttle);
  return async (session) => {
    let worked = false;
    crew.call.stop.throwIfAborted();
    while ((await throttle.paced(session, () => worker.turn(session))) === 'worked') {
      worked = true;
      crew.call.stop.throwIfAborted();
    }
    const all = await readProgress(session, crew.tables, crew.names);
    return { worked, left: all.filter(isUnfinished).filter(({ name }) => !worker.refused.has(name)) };
  };
}

/**
 * Works until no backfill is left that this code could ever work on; looks every few seconds whether one that has stopped goes on, or one that others are
 * at is free. What is given back works on a session until that is lost, and then on another one. Throws EM_LOST_SESSION, EM_ABORTED, and what the server says.
 */
export function backgroundWork(crew: Crew): (session: Session) => Promise<void> {
  const round = backgroundRound(crew);
  return async (session) => {
    let isTold = false;
    for (let idleTurns = 0; ;) {
      const { worked, left } = await round(session);
      if (left.length === 0) return;
      isTold &&= !worked;
      idleTurns = worked ? 0 : idleTurns;
      if (!isTold && !left.some(isOpen)) {
        crew.call.report.warn('backfill.idle', { backfills: left.map(({ name, status }) => ({ name, status })) });
        isTold = true;
      }
      const ceiling = left.some(isOpen) ? Math.min(pollMs.most, pollMs.least * 2 ** Math.min(idleTurns++, 10)) : pollMs.most;
      await pause(crew.call, ceiling / 2 + (Math.random() * ceiling) / 2);
    }
  };
}
