import { MigrationError, sqlStateOf } from '../errors.js';
import { describeSessions } from '../session/index.js';
import type { Applying, Blockers, Run } from './applying.js';

const backoffMs = { least: 100, most: 2_000 };

/** What stood in the way, when a failed attempt is worth another try; undefined when it is not. */
export function blockersOf({ watch }: Applying, error: unknown): Blockers | undefined {
  const state = sqlStateOf(error);
  const intent = watch.takeIntent();
  if (state === '57014') return intent && { pids: intent.blockers }; // without an intent of ours: a timeout of the migration's own, or an operator
  if (state === '55P03') return watch.mode === 'lock-timeout' ? { pids: [] } : undefined;
  return state === '40P01' ? deadlocked(error) : undefined; // the deadlock's victim was rolled back
}

// The detail is in the server's language. Its numbers are processes and objects: those that are sessions are named.
function deadlocked(error: unknown): Blockers {
  const { detail } = error as { detail?: string };
  return { pids: Array.from(detail?.match(/\b\d{1,9}\b/g) ?? [], Number), detail: detail?.replaceAll('\n', ' ') };
}

/** Waits before the next try, longer each time; throws EM_BLOCKED with the names of the blockers once the call's patience is used up. */
export async function backOff(applying: Applying, run: Pick<Run, 'step' | 'tries'>, blockers: Blockers): Promise<void> {
  const { call, session } = applying;
  const named = await describeBlockers(applying, blockers);
  if (call.patienceMs <= 0) {
    const what = `could not get its table locks in ${run.tries} tries within ${call.config.timeouts.callMs} ms of waiting`;
    throw new MigrationError('EM_BLOCKED', `${run.step.name}: ${what}; blocked by ${named}`);
  }
  call.report.warn('step.retried', { migration: run.step.name, tries: run.tries, blockers: named });
  const ceiling = Math.min(backoffMs.most, backoffMs.least * 2 ** (run.tries - 1));
  await call.wait(ceiling / 2 + (Math.random() * ceiling) / 2);
  if (session.wire.lost) throw session.lostOr(session.wire.lost);
}

/** EM_BLOCKED for what cannot be tried again, with the names of the blockers. */
export async function blockedForGood(applying: Applying, what: string, blockers: Blockers): Promise<MigrationError> {
  return new MigrationError('EM_BLOCKED', `${what}; blocked by ${await describeBlockers(applying, blockers)}`);
}

async function describeBlockers(applying: Applying, { pids, detail }: Blockers): Promise<string> {
  if (detail === undefined) return await describeSessions(applying.session, pids);
  return `a deadlock with ${await describeSessions(applying.session, pids)}; the server said: ${detail}`;
}
