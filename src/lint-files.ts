import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MigrationError } from './errors.js';
import { listFile, migrationId, type Migration } from './source/index.js';

/** What was asked for by name or by path. */
export interface SelectedFiles {
  /** Those of the code's own, in its order. */
  readonly listed: readonly Migration[];
  /** Files that stand elsewhere. */
  readonly outside: readonly Migration[];
}

/**
 * Finds migrations by their names, or by paths from the working directory, as a list of changed files has them. A `.down.sql` stands for its
 * `.up.sql`. Throws EM_CONFIG_INVALID for what is neither, EM_MIGRATION_INVALID for a file that is no migration.
 */
export function selectFiles(asked: readonly string[], migrations: readonly Migration[]): SelectedFiles {
  const found = asked.map((each) => findOne(each.replace(/\.down\.sql$/, '.up.sql'), migrations));
  const unknown = asked.filter((_, index) => found[index] === undefined);
  if (unknown.length > 0) {
    throw new MigrationError('EM_CONFIG_INVALID', `neither a migration nor a file: ${unknown.join(', ')}`, {
      remedy: 'Give names of migrations, or paths of files that are there (`git diff --diff-filter=d` leaves deleted ones out).',
    });
  }
  const byFile = new Map(found.filter((each) => each !== undefined).map((each) => [each.file ?? each.name, each]));
  const outside = [...byFile.values()].filter((each) => !migrations.includes(each));
  return { listed: migrations.filter((each) => found.includes(each)), outside };
}

// By their ids: of a .ts that stands beside its .js only the .js is listed.
function findOne(asked: string, migrations: readonly Migration[]): Migration | undefined {
  const path = resolve(asked);
  const listed = migrations.find(({ file }) => file !== undefined && migrationId(file) === migrationId(path));
  if (listed) return listed;
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return listFile(path);
  return migrations.find(({ id }) => id === migrationId(asked));
}
