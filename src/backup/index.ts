import type { Call } from '../call.js';
import { ToolError } from '../client-tools/index.js';
import type { BackupSettings } from '../config/index.js';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import type { Facts } from '../history/index.js';
import { whileBusy } from '../lock.js';
import type { Session } from '../session/index.js';
import { runCommand } from './command.js';
import { dumpInto } from './dump.js';

export { openArchive, type Archive } from './archive.js';
export { dropDatabase, makeDatabase } from './database.js';
export { restoreArchive } from './restore.js';

export interface TakeRequest {
  readonly call: Call;
  /** Holds the lock, so that nobody migrates meanwhile. */
  readonly session: Session;
  readonly scope: 'session' | 'xact';
  readonly facts: Facts;
  /** The newest applied migration. */
  readonly revision: string | undefined;
}

/** What a backup is made from; `stop` is aborted when the call is told to stop, or when the session, and the lock with it, is lost. */
export interface BackupRequest extends TakeRequest {
  readonly stop: AbortSignal;
}

export interface Backup {
  /** The path of the file; of a backup by a command, the last line that it wrote. */
  readonly name: string;
  readonly bytes?: number;
}

/**
 * Takes a backup of the whole database: by pg_dump (custom format) into a directory, read back by `pg_restore --list` and on the disk before
 * it has its name; or by a command. Reads only: pg_dump locks every table against DDL, not against the application. Those who wait for the
 * lock see that it is at work. When told to stop the child is ended. Throws EM_BACKUP_FAILED; a partial file is removed.
 */
export async function takeBackup(settings: BackupSettings, request: TakeRequest): Promise<Backup> {
  const { call, session, facts } = request;
  const started = performance.now();
  const lost = new AbortController();
  void session.wire.ended.then(() => lost.abort(session.wire.lost));
  try {
    if ('directory' in settings && request.scope === 'xact') throw needsDirect();
    const stop = AbortSignal.any([call.stop, lost.signal]);
    call.report.info('backup.taking', { database: facts.database });
    const backup = await whileBusy(request, 'backup', async () => await take(settings, { ...request, stop }));
    call.report.info('backup.taken', { file: backup.name, bytes: backup.bytes, ms: Math.round(performance.now() - started) });
    return backup;
  } catch (error) {
    call.stop.throwIfAborted();
    throw isMigrationError(error) ? error : session.wire.lost ? session.lostOr(error) : failed(facts, error);
  }
}

async function take(settings: BackupSettings, request: BackupRequest): Promise<Backup> {
  return 'command' in settings ? await runCommand(settings.command, request) : await dumpInto(settings, request);
}

// pg_dump sets its session before its transaction: through a pooler that would be other people's sessions.
function needsDirect(): MigrationError {
  return new MigrationError('EM_BACKUP_FAILED', 'pg_dump cannot take a backup through a connection pooler', {
    remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler. Nothing was changed.',
  });
}

function failed({ database }: Facts, error: unknown): MigrationError {
  const remedy = error instanceof ToolError && error.remedy ? { remedy: `${error.remedy} Nothing was changed.` } : {};
  return new MigrationError('EM_BACKUP_FAILED', `no backup of "${database}" could be taken: ${messageOf(error)}`, {
    cause: error,
    ...remedy,
  });
}
