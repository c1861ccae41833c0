import { takeBackup } from '../backup/index.js';
import type { BackupSettings, Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { openDatabase, runCall } from '../run-call.js';
import { underLock, type Locked } from '../under-lock.js';

/** Where the backup goes, and how many stay. */
export interface BackupOptions {
  /** Default: what the option `backup` says. */
  readonly directory?: string | undefined;
  /** How many backups of this database are kept in the directory. Default: what the option says, else all of them. */
  readonly keepCount?: number | undefined;
}

/** The backup that was taken. Plain data, frozen. */
export interface BackupResult {
  readonly database: string;
  /** The newest applied migration; undefined when there is none. */
  readonly revision: string | undefined;
  /** The path of the file; of a backup by a command, the last line that it wrote. */
  readonly file: string;
  /** Undefined of a backup by a command. */
  readonly bytes: number | undefined;
}

/**
 * Takes a backup of the whole database now. Waits for the lock, so that nobody migrates meanwhile; changes nothing in the database. Throws
 * EM_BACKUP_FAILED, EM_CONFIG_INVALID where neither the option `backup` nor a directory says where to, and what waiting for the lock throws.
 */
export async function backup(options: Options = {}, given: BackupOptions = {}): Promise<BackupResult> {
  const settings = settingsOf(options, given);
  return await runCall({ ...options, mode: 'apply', backup: settings }, async (call) => {
    if (!call.config.backup) throw nowhere();
    const { backup: checked } = call.config;
    await using opened = await openDatabase(call, 'alone');
    return await underLock(opened, { work: async (locked) => await take(locked, checked) });
  });
}

// Checked with the other options, and told with them.
function settingsOf(options: Options, { directory, keepCount }: BackupOptions): Options['backup'] {
  const configured = options.backup || undefined;
  if (directory === undefined && keepCount === undefined) return configured;
  return { ...(directory === undefined ? configured : { directory }), ...(keepCount !== undefined && { keepCount }) } as BackupSettings;
}

async function take(locked: Locked, settings: BackupSettings): Promise<BackupResult> {
  const { call, session, scope, history } = locked;
  const { facts, applied } = history;
  const revision = applied?.at(-1);
  const taken = await call.report.phase('backup', async () => await takeBackup(settings, { call, session, scope, facts, revision }));
  await locked.release();
  return Object.freeze({ database: facts.database, revision, file: taken.name, bytes: taken.bytes });
}

function nowhere(): MigrationError {
  return new MigrationError(
    'EM_CONFIG_INVALID',
    'the options are not valid:\n  backup: expected a directory, or the option `backup`; got neither',
    {
      remedy: 'Give a directory.',
    },
  );
}
