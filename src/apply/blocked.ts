import { MigrationError, sqlStateOf } from '../errors.js';
import { excerptOf } from '../sql.js';
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

interface Blocker {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly host: string | null;
  readonly state: string | null;
  readonly seconds: number | null;
  readonly statement: string | null;
}

async function describeBlockers(applying: Applying, { pids, detail }: Blockers): Promise<string> {
  if (detail === undefined) return await describeSessions(applying, pids);
  return `a deadlock with ${await describeSessions(applying, pids)}; the server said: ${detail}`;
}

async function describeSessions({ session }: Applying, pids: readonly number[]): Promise<string> {
  if (pids.length === 0) return 'sessions that could not be named (no connection was left to watch from)';
  const rows = await session.query<Blocker>(
    `select pid, usename as user, application_name as application, pg_catalog.host(client_addr) as host, state, query as statement,
            round(extract(epoch from pg_catalog.clock_timestamp() - xact_start))::int as seconds
     from pg_catalog.pg_stat_activity where pid = any ($1) and pid <> pg_catalog.pg_backend_pid()`,
    [pids],
  );
  return rows.length > 0 ? rows.map(describe).join(', ') : `pid ${pids.join(', ')}, gone by now`;
}

function describe({ pid, user, application, host, state, seconds, statement }: Blocker): string {
  const who = [user, application].filter(Boolean).join(', ');
  if (state === null) return `pid ${pid} (${who}; what it does is hidden from this role: grant pg_read_all_stats to see it)`;
  const last = statement ? excerptOf(statement) : '?';
  return `pid ${pid} (${who}, ${host ?? 'local'}; ${state}, in its transaction for ${seconds ?? '?'} s; last ran: ${last})`;
}
