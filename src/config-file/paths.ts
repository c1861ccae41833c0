import { resolve } from 'node:path';
import { isObject, type AllOptions, type DatabaseOptions, type Options } from '../config/index.js';

const sources = ['directory', 'modules', 'migrationSource'];

/**
 * The option `migrations` of a file with its relative paths made absolute from the file's directory; the default directory is there too.
 * What is no path is left as it is, for resolveConfig to judge. With `knex` nothing is added: its own configuration says where they are.
 */
export function anchorMigrations({ migrations, knex }: Options, base: string): Options['migrations'] {
  if (migrations === undefined) return knex === undefined ? resolve(base, 'migrations') : undefined;
  if (!isObject(migrations) || migrations instanceof URL) return anchorPath(migrations, base) as Options['migrations'];
  const isPlaced = sources.some((key) => migrations[key] !== undefined && migrations[key] !== null);
  return {
    ...migrations,
    ...(migrations['directory'] !== undefined && { directory: anchorPath(migrations['directory'], base) }),
    ...(typeof migrations['stub'] === 'string' && { stub: resolve(base, migrations['stub']) }),
    ...(!isPlaced && knex === undefined && { directory: resolve(base, 'migrations') }),
  } as Options['migrations'];
}

/** Such options of several databases. The default directory is that of each entry that has no other, and no knex of its own. */
export function anchorAll(all: Record<string, unknown>, base: string): AllOptions {
  const isShared = all['migrations'] !== undefined;
  const entries = (all['databases'] as unknown[]).map((entry) => (isObject(entry) ? anchorEntry(entry, base, isShared) : entry));
  return { ...anchorGiven(all, base), databases: entries as DatabaseOptions[] };
}

function anchorEntry(entry: Record<string, unknown>, base: string, isShared: boolean): object {
  const migrations = isShared ? undefined : anchorMigrations(entry, base);
  return { ...anchorGiven(entry, base), ...(migrations !== undefined && { migrations }) };
}

/** The same options with the paths that they give made absolute. */
export function anchorGiven(options: Record<string, unknown>, base: string): Options {
  return {
    ...options,
    ...(options['migrations'] !== undefined && { migrations: anchorMigrations(options, base) }),
    ...(options['schema'] !== undefined && { schema: anchorSchema(options, base) }),
  };
}

/** The option `schema` of a file with its relative paths made absolute from the file's directory. */
function anchorSchema({ schema }: Options, base: string): Options['schema'] {
  if (!isObject(schema) || schema instanceof URL) return anchorPath(schema, base) as Options['schema'];
  const anchored = Object.entries(schema).map(([key, value]) => [
    key,
    key === 'files' || key === 'snapshot' ? anchorPath(value, base) : value,
  ]);
  return Object.fromEntries(anchored) as Options['schema'];
}

function anchorPath(value: unknown, base: string): unknown {
  if (Array.isArray(value)) return value.map((each) => anchorPath(each, base));
  return typeof value === 'string' && value !== '' && !value.startsWith('file:') ? resolve(base, value) : value;
}
