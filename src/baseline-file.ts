import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dumpBaseline } from './baseline-dump.js';
import type { BaselineScripts } from './baseline-script.js';
import type { Call } from './call.js';
import { messageOf, MigrationError } from './errors.js';
import { readHistory, tablesOf } from './history/index.js';
import { listExisting } from './revision/index.js';
import { openSession } from './session/index.js';
import { refuseHistory } from './stamping.js';

/** The first migration of a project, written and not yet recorded: removed when it is disposed, unless it is to be kept. */
export interface BaselineFile extends AsyncDisposable {
  readonly file: string;
  keep(): void;
}

/**
 * Writes the schema of a database, without the tables of the history, as the first migration: `<UTC time>_baseline.up.sql`, and a `.down.sql`
 * that drops it all. Reads only; pg_dump takes ACCESS SHARE on every table and waits `timeouts.lockMs` for it. Throws EM_PLAN_REFUSED where
 * there are migrations or a history already, where there is nothing to write, or where no pg_dump fits the server.
 */
export async function writeBaseline(call: Call): Promise<BaselineFile> {
  const directory = await emptyDirectoryOf(call);
  const base = path.join(directory, `${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}_baseline`);
  const scripts = await dumpScripts(call, `${base}.up.sql`);
  const made = await mkdir(directory, { recursive: true });
  let isKept = false;
  const removing = async () => {
    if (isKept) return;
    for (const way of ['up', 'down']) await rm(`${base}.${way}.sql`, { force: true });
    if (made !== undefined) await rmdir(directory).catch(() => undefined); // somebody has put something into it
  };
  try {
    for (const way of ['up', 'down'] as const) await writeFile(`${base}.${way}.sql`, scripts[way]);
    return { file: `${base}.up.sql`, keep: () => (isKept = true), [Symbol.asyncDispose]: removing };
  } catch (error) {
    await removing();
    throw refused(`the baseline cannot be written: ${messageOf(error)}`, 'Let this process write into the directory.', error);
  }
}

async function emptyDirectoryOf({ config: { migrations } }: Call): Promise<string> {
  const [directory, ...others] = migrations.directories;
  if (directory === undefined || others.length > 0 || migrations.loadExtensions?.includes('.sql') === false) {
    throw refused('a baseline is written as a .sql file', 'Give one directory of migrations, and let loadExtensions have .sql.');
  }
  const there = await listExisting(migrations);
  if (there.length === 0) return directory;
  const remedy = 'Say at which of them the database stands: `baseline --at <revision>`. Or give another, empty directory.';
  throw refused(`there are migrations in ${directory} already, ${there[0]?.name} is the first`, remedy);
}

async function dumpScripts(call: Call, file: string): Promise<BaselineScripts> {
  const source = call.config.directConnection ?? call.config.connection;
  await using session = await openSession(call, 'directConnection');
  const tables = tablesOf(call.config.migrations);
  const { facts, applied = [] } = await readHistory(session, tables);
  refuseHistory({ applied });
  const scripts = await dumpBaseline({ call, session, source, tables, facts, file });
  if (scripts) return scripts;
  throw refused('there is nothing in this database to adopt', 'Write the first migration, and let it make the schema.');
}

function refused(message: string, remedy: string, cause?: unknown): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was changed.`, cause });
}
