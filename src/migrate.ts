import type { Call } from './call.js';
import { MigrationError } from './errors.js';
import { readHistory, type History, type Tables } from './history/index.js';
import { lockKey } from './lock.js';
import type { Outcome } from './outcome.js';
import { inSchema } from './read-state.js';
import { openSession, type Session } from './session/index.js';
import type { Migration } from './source/index.js';
import { UnderLock } from './under-lock.js';

export interface MigrateRequest {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
  readonly tables: Tables;
  readonly history: History;
}

/**
 * Takes the lock, reads everything again, checks, applies, verifies and lets go. Behind a pooler it goes around it where
 * `directConnection` is given; else one transaction holds the lock and does everything.
 */
export async function migrateUnderLock(request: MigrateRequest): Promise<Outcome> {
  const { call, session, history } = request;
  if (!isPooled(session, history) || !call.config.directConnection) return await takeTheLock(request);
  await using direct = await call.report.phase('connect', () => openSession(call, 'directConnection'));
  const seen = await readHistory(direct, request.tables);
  if ((await readPlace(session, history)) !== (await readPlace(direct, seen))) throw leadsElsewhere(history, seen);
  return await takeTheLock({ ...request, session: direct, history: seen });
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

async function takeTheLock(request: MigrateRequest): Promise<Outcome> {
  const { session, history } = request;
  const { facts } = history;
  if (facts.inRecovery) throw isStandby(facts.database);
  const schema = request.tables.schema ?? facts.schema;
  if (schema === null) throw noSchema();
  const tables = inSchema(request.tables, schema);
  const scope = isPooled(session, history) ? 'xact' : 'session';
  return await new UnderLock({ ...request, tables, key: lockKey(facts, tables, schema), scope }).run();
}

// Equal directly; PgBouncer makes up a process id of its own, in session pooling too.
function isPooled(session: Session, { facts }: History): boolean {
  return session.wire.processId !== facts.backendPid;
}

// Said before the lock: on a standby an advisory lock is local and excludes nobody.
function isStandby(database: string): MigrationError {
  return new MigrationError('EM_CHECK_FAILED', `the server of "${database}" is a standby, which accepts no writes`, {
    remedy: 'Point the connection at the primary (the writer endpoint), or use the mode `verify` or `wait` here.',
  });
}

function noSchema(): MigrationError {
  return new MigrationError('EM_CHECK_FAILED', 'no schema of the search_path exists, so there is no place for the history table', {
    remedy: 'Create the schema, correct the search_path of the role, or give `migrations.schemaName`.',
  });
}
