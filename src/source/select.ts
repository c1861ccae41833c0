import type { Finding } from '../finding.js';
import { fault } from './invalid.js';
import { extensionOf, migrationId } from './migration.js';

/** What knex looks for by default. */
export const knexExtensions: readonly string[] = ['.co', '.coffee', '.eg', '.iced', '.js', '.cjs', '.litcoffee', '.ls', '.ts'];

const defaultExtensions = new Set([...knexExtensions, '.mjs', '.mts', '.cts', '.sql']);
const neverMigrations = /\.d\.[cm]?ts$|\.map$/;
const typescript = /\.[cm]?ts$/;

export interface Selection {
  readonly files: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * The migrations among the names of one directory: those with a known extension, without declarations, without the TypeScript source
 * that stands beside its own JavaScript, and without the .down.sql files, which belong to their .up.sql. Pure.
 */
export function selectFiles(names: readonly string[], loadExtensions: readonly string[] | undefined): Selection {
  const extensions = loadExtensions === undefined ? defaultExtensions : new Set(loadExtensions);
  const files = names.filter((name) => extensions.has(extensionOf(name)) && !neverMigrations.test(name));
  const all = new Set(files);
  return {
    files: files.filter((name) => !name.endsWith('.down.sql') && !isCompiled(name, all)),
    findings: files.filter((name) => name.endsWith('.sql')).flatMap((name) => unpaired(name, all) ?? []),
  };
}

/** The file that takes an .up.sql migration back. */
export function downOf(up: string): string {
  return up.replace(/\.up\.sql$/, '.down.sql');
}

function isCompiled(name: string, all: ReadonlySet<string>): boolean {
  return typescript.test(name) && ['.js', '.mjs', '.cjs'].some((extension) => all.has(migrationId(name) + extension));
}

function unpaired(name: string, all: ReadonlySet<string>): Finding | undefined {
  const base = name.replace(/\.(up|down)\.sql$/, '');
  const up = `${base}.up.sql`;
  if (name.endsWith('.down.sql') && !all.has(up)) {
    return fault({
      code: 'migration-unpaired',
      name,
      message: `there is no ${up} beside it.`,
      remedy: `Add ${up}, or rename ${base}.sql to it.`,
    });
  }
  if (name === up && all.has(`${base}.sql`)) {
    const message = `${base}.sql stands beside it, and only one of the two can be the way up.`;
    return fault({ code: 'migration-unpaired', name, message, remedy: `Remove ${base}.sql, or give it a name of its own.` });
  }
  return undefined;
}
