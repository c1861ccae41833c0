import type { MigrationsConfig } from '../config/index.js';
import type { Finding } from '../finding.js';
import { listFiles } from './files.js';
import { fault, invalidMigrations } from './invalid.js';
import type { Migration } from './migration.js';

/**
 * Lists the code's migrations in their order, with names and checksums; imports none of them. Needs no connection, so that it can run
 * while one is opened. Throws EM_NO_MIGRATIONS and EM_MIGRATION_INVALID.
 */
export async function listMigrations(config: MigrationsConfig): Promise<readonly Migration[]> {
  const migrations = await listSource(config);
  const findings = [...findDuplicates(migrations), ...migrations.flatMap(judgeName), ...findOverlaps(migrations)];
  if (findings.length > 0) throw invalidMigrations(findings);
  return migrations;
}

// Each module costs a boot up to a millisecond: only directories, which most have, are imported beforehand.
async function listSource(config: MigrationsConfig): Promise<Migration[]> {
  const { migrationSource, modules, loadExtensions } = config;
  if (migrationSource !== undefined) return await (await import('./knex-source.js')).listKnexSource(migrationSource, loadExtensions);
  if (modules !== undefined) return (await import('./modules.js')).listModules(modules);
  return await listFiles(config);
}

function findDuplicates(migrations: readonly Migration[]): Finding[] {
  const seen = new Map<string, Migration>();
  return migrations.flatMap((migration) => {
    const other = seen.get(migration.id);
    seen.set(migration.id, migration);
    return other === undefined ? [] : [duplicate(migration, other)];
  });
}

// Two branches that have squashed, each for itself: an empty database would run what both stand for twice.
function findOverlaps(migrations: readonly Migration[]): Finding[] {
  const squashes = migrations.filter(({ replaces }) => replaces !== undefined);
  const stands = (squash: Migration, id: string) => squash.id !== id && (squash.replaces ?? []).some((each) => each.id === id);
  return squashes.flatMap((squash, index) => {
    const beside = squashes.slice(0, index).filter((other) => !stands(squash, other.id) && !stands(other, squash.id));
    const other = beside.find(({ replaces = [] }) => replaces.some(({ id }) => stands(squash, id)));
    return other === undefined ? [] : [overlap(squash, other)];
  });
}

function overlap({ name, file }: Migration, other: Migration): Finding {
  const message = `it stands for migrations that ${other.name} stands for as well, and neither replaces the other.`;
  return fault({
    code: 'migration-squashed-twice',
    name,
    file,
    message,
    remedy: 'Remove one of the two, and squash again what it alone stood for.',
  });
}

// The history holds 255 characters; names are read back as lines of one text.
function judgeName({ name, file }: Migration): Finding[] {
  const fits = name !== '' && name.length <= 255 && !/[\n\0]/.test(name);
  if (fits) return [];
  const message = 'the history cannot hold its name: one line of 1 to 255 characters.';
  return [fault({ code: 'migration-name', name: name.slice(0, 80), file, message, remedy: 'Rename it.' })];
}

function duplicate({ name, file }: Migration, other: Migration): Finding {
  const message = `it is the same migration as ${other.file ?? other.name}: names compare without their extension.`;
  return fault({ code: 'migration-duplicate', name, file, message, remedy: 'Rename or remove one of the two.' });
}
