import { readFileSync } from 'node:fs';
import type { MigrationsConfig } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { readProject } from '../project.js';
import type { Migration } from '../source/index.js';
import type { Format } from './template.js';

/** What a new migration is written as. */
export interface Form {
  readonly format: Format;
  /** Of its file, and of the one with its way down where that is a file of its own. */
  readonly endings: readonly [up: string, down?: string];
}

interface Question {
  readonly config: MigrationsConfig;
  readonly extension: string | undefined;
  readonly existing: readonly Migration[];
  readonly directory: string;
}

const formats: Readonly<Record<string, Format>> = {
  '.js': 'module',
  '.mjs': 'module',
  '.cjs': 'commonjs',
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.cts': 'typescript',
  '.sql': 'sql',
};

/** As was asked for, else as the last migration is, else as the project is. Throws EM_CONFIG_INVALID for what could not be loaded again. */
export function formFor({ config, extension: asked, existing, directory }: Question): Form {
  const project = readProject(directory);
  const ending = dotted(asked ?? config.making.extension) ?? endingOf(existing.at(-1)) ?? `.${project.language}`;
  const format = formats[ending];
  if (format === undefined) throw refusal(`"${ending.slice(1)}" is no extension of a migration`, Object.keys(formats));
  if (config.loadExtensions?.includes(ending) === false) {
    throw refusal(`the option \`migrations.loadExtensions\` leaves "${ending}" out`, config.loadExtensions);
  }
  if (ending === '.sql') return { format, endings: isPaired(existing) ? ['.up.sql', '.down.sql'] : ['.sql'] };
  return { format: ending === '.js' && project.type === 'commonjs' && !isModule(existing) ? 'commonjs' : format, endings: [ending] };
}

function dotted(extension: string | undefined): string | undefined {
  return extension === undefined ? undefined : `.${extension.toLowerCase().replace(/^\./, '')}`;
}

function endingOf(migration: Migration | undefined): string | undefined {
  const ending = migration && /\.\w+$/.exec(migration.name)?.[0];
  return ending !== undefined && ending in formats ? ending : undefined;
}

function refusal(what: string, possible: readonly string[]): MigrationError {
  const remedy = `Ask for one of ${possible.map((ending) => ending.replace(/^\./, '')).join(', ')}.`;
  return new MigrationError('EM_CONFIG_INVALID', `${what}.`, { remedy });
}

// The way down is worth a file of its own, unless the project has chosen to do without.
function isPaired(existing: readonly Migration[]): boolean {
  const scripts = existing.filter(({ name }) => name.endsWith('.sql'));
  return scripts.length === 0 || scripts.some(({ name }) => name.endsWith('.up.sql'));
}

// Without a "type" in package.json Node looks at the syntax (20.19 and later), and so do we at that of the last file.
function isModule(existing: readonly Migration[]): boolean {
  const file = existing.findLast(({ name }) => name.endsWith('.js'))?.file;
  return file !== undefined && /^(?:export|import)\s/m.test(readFileSync(file, 'utf8'));
}
