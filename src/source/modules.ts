import { MigrationError } from '../errors.js';
import { loadFailure } from './invalid.js';
import { migrationId, migrationOf, type Migration } from './migration.js';
import { exported, shapeModule } from './shape.js';

/**
 * Lists in-memory modules (of a bundle) in the code-unit order of their names; calls no thunk. A name is the last part of its key, so
 * that `import.meta.glob('./migrations/*.js')` fits. A module given directly may export `checksum`, else there is none to compare.
 * Throws EM_NO_MIGRATIONS when there is not one.
 */
export function listModules(modules: Readonly<Record<string, unknown>>): Migration[] {
  const entries = Object.entries(modules).map(([key, value]) => ({ name: key.slice(key.lastIndexOf('/') + 1), value }));
  if (entries.length === 0) throw new MigrationError('EM_NO_MIGRATIONS', 'the option `migrations.modules` holds no migration.');
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return entries.map(moduleMigration);
}

function moduleMigration({ name, value }: { name: string; value: unknown }): Migration {
  const listed = { name, id: migrationId(name), file: undefined, checksum: checksumIn(value) };
  return migrationOf(listed, async () => shapeModule({ listed, exports: await resolveModule(name, value), knexEntry: value }));
}

async function resolveModule(name: string, value: unknown): Promise<unknown> {
  try {
    return await (typeof value === 'function' ? (value as () => unknown)() : value);
  } catch (cause) {
    throw loadFailure({ name }, cause);
  }
}

function checksumIn(value: unknown): string | undefined {
  const checksum = typeof value === 'function' ? undefined : exported(value, 'checksum');
  return typeof checksum === 'string' ? `module:${checksum}` : undefined;
}
