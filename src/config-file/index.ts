/** The configuration of a project in a file, for the command line and the vitest setup. `ensureMigrated()` reads no file. */
import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isModuleNamespaceObject } from 'node:util/types';
import {
  isObject,
  kindOf,
  knexClientOf,
  optionNames,
  problemsOf,
  problemsOfAll,
  sharedOptions,
  type AllOptions,
  type Options,
} from '../config/index.js';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import { defaultOf, importFile } from '../import-file.js';
import { readJson } from './json.js';
import { optionsOfKnexfile } from './knexfile.js';
import { layOver, layOverAll } from './layers.js';
import { anchorAll, anchorGiven, anchorMigrations } from './paths.js';

export { withConnection } from './knexfile.js';

export interface ConfigRequest {
  /** Where the file is looked for: here, not above. */
  readonly directory: string;
  /** This file, as a path from `directory`, instead of the one that is found. One whose name begins with `knexfile` is read as such. */
  readonly file?: string | undefined;
  /** A flag, too: the option of this name, and the section of a knexfile; default NODE_ENV, then `development`, as knex has it. */
  readonly environment?: string | undefined;
  /** What was said on the command line. */
  readonly flags?: Options | undefined;
}

export interface ConfigFile {
  /** Absolute; undefined where there is none, and the options are the flags alone. */
  readonly file: string | undefined;
  /** The flags over what the environment leaves of the file. A verb resolves them to flags, environment, file, defaults, in that order. */
  readonly options: Options;
  /** The same of a file with `databases`: then `options` are what they share, and name no database. */
  readonly several: AllOptions | undefined;
}

/** Of a configuration file that is code, in the order in which one is looked for. */
export const configExtensions: readonly string[] = ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts'];
const names = [
  ...[...configExtensions, 'json'].map((extension) => `ensure-migrated.config.${extension}`),
  ...configExtensions.map((extension) => `knexfile.${extension}`),
];

/** The file that configures the project in this directory: ensure-migrated.config.*, else a knexfile. Absolute. */
export function findConfigFile(directory: string): string | undefined {
  return names.map((name) => resolve(directory, name)).find((file) => existsSync(file));
}

/** Whether knex would read it: by its name. */
export function isKnexfile(file: string): boolean {
  return basename(file).startsWith('knexfile');
}

/**
 * Loads the project's configuration and lays it below the flags and the environment. Runs the file; opens no connection. Relative paths of
 * migrations in it count from its own directory, wherever the command was started. Throws EM_CONFIG_INVALID, which names the file, and
 * EM_TYPESCRIPT_UNSUPPORTED. That there is no file is no error, unless one was named.
 */
export async function loadConfigFile({ directory, file: named, environment, ...request }: ConfigRequest): Promise<ConfigFile> {
  const flags = { ...(environment !== undefined && { environment }), ...request.flags };
  const file = named === undefined ? findConfigFile(directory) : resolve(directory, named);
  if (file === undefined) return Object.freeze({ file, options: flags, several: undefined });
  return await naming(file, async () => {
    const own = await loadOptions(file, environment);
    if (!isSeveral(own)) return Object.freeze({ file, options: await optionsOf(own, flags), several: undefined });
    refuseProblems(problemsOfAll(own));
    const several = layOverAll(own, flags);
    return Object.freeze({ file, options: sharedOptions(several), several });
  });
}

function isSeveral(own: Options | AllOptions): own is AllOptions {
  return 'databases' in own && (own.databases as unknown) !== undefined;
}

async function optionsOf(own: Options, flags: Options): Promise<Options> {
  const { beneath, all } = await layOver(own, flags);
  refuseProblems(problemsOf(beneath));
  return all;
}

function refuseProblems(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(['its options are not valid:', ...problems].join('\n  '));
}

async function loadOptions(file: string, environment: string | undefined): Promise<Options | AllOptions> {
  const value = file.endsWith('.json') ? await readJson(file) : await valueOf(await importFile(file));
  if (!isObject(value)) throw new Error(`it should export an object of options, or a function that gives one; it exports ${kindOf(value)}`);
  const directory = dirname(file);
  if (isKnexfile(file)) return await optionsOfKnexfile(value, { directory, environment });
  refuseNoDefault(value);
  if (Array.isArray(value['databases'])) return anchorAll(value, directory);
  const migrations = anchorMigrations(value, directory);
  return { ...anchorGiven(value, directory), ...(migrations !== undefined && { migrations }) };
}

// Named exports that are options will do. Others are those of somebody who has forgotten the default.
function refuseNoDefault(exported: object): void {
  const isOption = (name: string) => name === 'databases' || (optionNames as readonly string[]).includes(name);
  if (isModuleNamespaceObject(exported) && !Object.keys(exported).some(isOption)) {
    throw new Error('it has no default export: `export default { ... }`, or `export default defineConfig({ ... })` for help with types');
  }
}

async function valueOf(exports: unknown): Promise<unknown> {
  const value = defaultOf(exports);
  return typeof value === 'function' && knexClientOf(value) === undefined ? await (value as () => unknown)() : value;
}

async function naming<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isMigrationError(cause)) throw cause;
    const remedy = `Correct ${file}, or name another file.`;
    const what = existsSync(file) ? messageOf(cause).replace(/\.$/, '') : 'there is no such file';
    throw new MigrationError('EM_CONFIG_INVALID', `${file}: ${what}.`, { cause, remedy });
  }
}
