import type { MigrationsConfig } from '../config/index.js';
import { MigrationError, messageOf } from '../errors.js';
import { loadFailure } from './invalid.js';
import { migrationId, migrationOf, type Migration } from './migration.js';
import { knexExtensions } from './select.js';
import { shapeModule } from './shape.js';

type Source = NonNullable<MigrationsConfig['migrationSource']>;

/** Lists what a knex migrationSource gives, in its order and under its names. Throws EM_NO_MIGRATIONS when that is nothing or it fails. */
export async function listKnexSource(source: Source, loadExtensions: readonly string[] = knexExtensions): Promise<Migration[]> {
  const entries = await readEntries(source, loadExtensions);
  if (entries.length === 0) throw new MigrationError('EM_NO_MIGRATIONS', 'the option `migrations.migrationSource` gave no migration.');
  return entries.map((entry) => sourceMigration(source, entry));
}

async function readEntries(source: Source, loadExtensions: readonly string[]): Promise<readonly unknown[]> {
  try {
    return await source.getMigrations(loadExtensions);
  } catch (cause) {
    throw new MigrationError('EM_NO_MIGRATIONS', `migrationSource.getMigrations failed: ${messageOf(cause)}.`, { cause });
  }
}

function sourceMigration(source: Source, entry: unknown): Migration {
  const name = source.getMigrationName(entry);
  const listed = { name, id: migrationId(name), file: undefined, checksum: undefined };
  return migrationOf(listed, async () => shapeModule({ listed, exports: await readModule({ source, entry, name }), knexEntry: entry }));
}

async function readModule({ source, entry, name }: { source: Source; entry: unknown; name: string }): Promise<unknown> {
  try {
    return await source.getMigration(entry);
  } catch (cause) {
    throw loadFailure({ name }, cause);
  }
}
