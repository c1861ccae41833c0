import { isMigrationError } from '../errors.js';
import { importFile } from '../import-file.js';
import type { FileEntry } from './files.js';
import { loadFailure } from './invalid.js';
import type { Listed, LoadedMigration } from './migration.js';
import { shapeModule } from './shape.js';
import { loadSql } from './sql-file.js';

/** Loads one file: reads a .sql, imports all else. Runs the module's top level. Throws EM_MIGRATION_INVALID, EM_TYPESCRIPT_UNSUPPORTED. */
export async function loadFile(listed: Listed & { readonly file: string }, entry: FileEntry): Promise<LoadedMigration> {
  if (listed.name.endsWith('.sql')) return loadSql(listed, entry);
  return shapeModule({ listed, exports: await importModule(listed), knexEntry: entry });
}

async function importModule({ name, file }: { readonly name: string; readonly file: string }): Promise<unknown> {
  try {
    return await importFile(file);
  } catch (cause) {
    throw isMigrationError(cause, 'EM_TYPESCRIPT_UNSUPPORTED') ? cause : loadFailure({ name, file }, cause);
  }
}
