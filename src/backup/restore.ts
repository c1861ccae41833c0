import type { Call } from '../call.js';
import { findTool, ToolError } from '../client-tools/index.js';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import type { Facts, Tables } from '../history/index.js';
import { whileBusy } from '../lock.js';
import type { Session } from '../session/index.js';
import { refused, type Archive } from './archive.js';
import { isRefusedBy, restoreByScript, restoreDirectly } from './pg-restore.js';

export interface RestoreRequest {
  readonly call: Call;
  /** Of the target; holds the lock, so that no boot fills the database meanwhile. */
  readonly session: Session;
  readonly scope: 'session' | 'xact';
  readonly facts: Facts;
  readonly tables: Tables;
}

/**
 * Puts a backup back whole, with its owners and rights, in one transaction: what fails leaves nothing behind. Into an empty database only:
 * throws EM_RESTORE_REFUSED where there is any object in it, EM_RESTORE_FAILED with what pg_restore said.
 */
export async function restoreArchive(archive: Archive, request: RestoreRequest): Promise<void> {
  const { call, session, facts } = request;
  if (request.scope === 'xact') throw pooled();
  await refuseUnlessEmpty(request);
  try {
    call.report.info('restore.started', { file: archive.file, database: facts.database });
    await whileBusy(request, 'restore', async () => await restore(archive, request));
    await clearKnexLock(request);
  } catch (error) {
    call.stop.throwIfAborted();
    throw isMigrationError(error) ? error : session.wire.lost ? session.lostOr(error) : failed(archive, facts, error);
  }
}

async function restore(archive: Archive, { call, session, facts }: RestoreRequest): Promise<void> {
  const lost = new AbortController();
  void session.wire.ended.then(() => lost.abort(session.wire.lost));
  const tool = await findTool({ name: 'pg_restore', atLeast: archive.dumpedBy, of: 'the pg_dump that wrote the backup', stop: call.stop });
  const role = facts.role === 'none' ? [] : [`--role=${facts.role}`];
  const args = ['--exit-on-error', '--single-transaction', ...role];
  const restoring = { call, source: session.source, file: archive.file, tool, args, stop: AbortSignal.any([call.stop, lost.signal]) };
  await (isRefusedBy(facts, tool) ? restoreByScript(restoring) : restoreDirectly(restoring));
}

interface Found {
  readonly what: string;
  readonly name: string;
  readonly count: number;
}

// 16384 is the first number of an object that no initdb has made; that of a large object may be chosen. What belongs to an extension comes with a template of the platform's.
const objectsSql = `
  with objects(what, class, oid, name) as (
    select 'schema', 'pg_catalog.pg_namespace'::regclass, oid, nspname::text from pg_catalog.pg_namespace where nspname::text !~ '^pg_(toast_)?temp_'
    union all select 'relation', 'pg_catalog.pg_class'::regclass, oid, oid::regclass::text from pg_catalog.pg_class
      where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relpersistence <> 't'
    union all select 'function', 'pg_catalog.pg_proc'::regclass, oid, oid::regproc::text from pg_catalog.pg_proc
    union all select 'type', 'pg_catalog.pg_type'::regclass, oid, oid::regtype::text from pg_catalog.pg_type where typtype in ('d', 'e', 'r')
    union all select 'event trigger', 'pg_catalog.pg_event_trigger'::regclass, oid, evtname::text from pg_catalog.pg_event_trigger
    union all select 'publication', 'pg_catalog.pg_publication'::regclass, oid, pubname::text from pg_catalog.pg_publication
    union all select 'foreign server', 'pg_catalog.pg_foreign_server'::regclass, oid, srvname::text from pg_catalog.pg_foreign_server
    union all select 'large object', 'pg_catalog.pg_largeobject'::regclass, oid, oid::text from pg_catalog.pg_largeobject_metadata
  )
  select what, name, pg_catalog.count(*) over ()::int as count from objects o
  where (oid >= '16384' or what = 'large object') and not exists (select from pg_catalog.pg_depend d where d.classid = o.class and d.objid = o.oid and d.deptype = 'e')
  order by what, name limit 5`;

async function refuseUnlessEmpty({ session, facts }: RestoreRequest): Promise<void> {
  const found = await session.query<Found>(objectsSql);
  const [first] = found;
  if (first === undefined) return;
  const names = found.map(({ what, name }) => `${what} ${name}`).join(', ');
  const more = first.count > found.length ? ` and ${first.count - found.length} more` : '';
  throw refused(`the database "${facts.database}" is not empty: ${names}${more}`, {
    remedy: 'Restore into a new database (`create`) or an empty one: on top of another schema data would be lost. Nothing was changed.',
  });
}

// Set when the backup was taken while somebody migrated, or after they had died. Nobody migrates a database that was not there a moment ago.
async function clearKnexLock({ call, session, tables }: RestoreRequest): Promise<void> {
  const [there] = await session.query<{ lock: string | null }>('select pg_catalog.to_regclass($1)::text as lock', [tables.lock]);
  if (there?.lock == null) return;
  const cleared = await session.query(`update ${tables.lock} set is_locked = 0 where is_locked <> 0 returning index`);
  if (cleared.length > 0) call.report.warn('restore.unlocked', { table: tables.names.lock });
}

function pooled(): MigrationError {
  return refused('pg_restore cannot restore through a connection pooler', {
    remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler. Nothing was changed.',
  });
}

function failed({ file }: Archive, { database }: Facts, error: unknown): MigrationError {
  const remedy = error instanceof ToolError && error.remedy ? { remedy: `${error.remedy} Nothing was changed.` } : {};
  return new MigrationError('EM_RESTORE_FAILED', `${file} could not be restored into "${database}": ${messageOf(error)}`, {
    cause: error,
    ...remedy,
  });
}
