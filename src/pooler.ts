import { MigrationError } from './errors.js';
import { readHistory, type History } from './history/index.js';
import type { Opened } from './run-call.js';
import { openSession, type Session } from './session/index.js';

/** Whether a pooler stands in between: the process id is the backend's directly; PgBouncer makes up one of its own, in session pooling too. */
export function isPooled({ session, history: { facts } }: Pick<Opened, 'session' | 'history'>): boolean {
  return session.wire.processId !== facts.backendPid;
}

/**
 * Does the work on `directConnection` where the connection leads through a pooler and that one is given; else on the connection as it is. Takes no
 * lock, writes nothing; throws EM_CHECK_FAILED where the two lead to different places.
 */
export async function aroundPooler<T>(opened: Opened, work: (direct: Opened) => Promise<T>): Promise<T> {
  const { call, session, history } = opened;
  if (!isPooled(opened) || !call.config.directConnection) return await work(opened);
  await using direct = await call.report.phase('connect', () => openSession(call, 'directConnection'));
  const seen = await readHistory(direct, opened.tables);
  if ((await readPlace(session, history)) !== (await readPlace(direct, seen))) throw leadsElsewhere(history, seen);
  return await work({ ...opened, session: direct, history: seen });
}

// The cluster, the database in it, and the schema that names resolve to: a URL that was copied wrong must not migrate another database.
async function readPlace(session: Session, { facts }: History): Promise<string> {
  const [place] = await session.query<{ cluster: string; oid: number }>(
    `select (select system_identifier::text from pg_catalog.pg_control_system()) as cluster, oid
     from pg_catalog.pg_database where datname = pg_catalog.current_database()`,
  );
  return JSON.stringify([place, facts.schema]);
}

function leadsElsewhere({ facts: one }: History, { facts: other }: History): MigrationError {
  const what = `directConnection leads to another place than connection: database "${other.database}", schema "${other.schema ?? ''}", not database "${one.database}", schema "${one.schema ?? ''}" on the same server`;
  return new MigrationError('EM_CHECK_FAILED', what, {
    remedy: 'Correct directConnection: the same database, around the pooler. Nothing was changed.',
  });
}
