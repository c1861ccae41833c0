import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MigrationsConfig } from '../../src/config/index.js';
import { isMigrationError, type MigrationError } from '../../src/errors.js';
import { afterFile } from '../support/cleanup.js';

/** A temporary directory that holds these files; removed after the file's tests unless one failed. */
export function directoryOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'em-source-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), content);
  }
  afterFile(async (failed) => void (failed || rmSync(directory, { recursive: true, force: true })));
  return directory;
}

/** The resolved configuration of a user who gave only these keys. */
export function configOf(given: Partial<MigrationsConfig>): MigrationsConfig {
  return {
    directories: [],
    sortDirsSeparately: false,
    loadExtensions: undefined,
    tableName: 'knex_migrations',
    schemaName: undefined,
    disableTransactions: false,
    disableMigrationsListValidation: false,
    migrationSource: undefined,
    modules: undefined,
    hooks: {},
    making: { extension: undefined, stub: undefined, fileName: undefined },
    ...given,
  };
}

/** What was thrown, which must be an error of ours. */
export async function refusalOf(work: Promise<unknown>): Promise<MigrationError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isMigrationError(error)) throw new Error('expected a MigrationError', { cause: error });
  return error;
}
