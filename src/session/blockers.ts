import { excerptOf } from '../sql.js';

/** What is asked of a session. */
interface Asking {
  query<Row>(text: string, values: readonly unknown[]): Promise<Row[]>;
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

/** Sessions in words, for a message: `pid ... (user, application, host; ...)`, or that they are gone. */
export async function describeSessions(session: Asking, pids: readonly number[]): Promise<string> {
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
