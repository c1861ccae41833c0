/** Sets a project up: a configuration file, a first migration, and what to write where the application boots. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { MigrationsConfig } from '../config/index.js';
import { configExtensions, findConfigFile, isKnexfile } from '../config-file/index.js';
import { messageOf, MigrationError } from '../errors.js';
import { readProject, type Project } from '../project.js';
import { listExisting, writeRevision } from '../revision/index.js';
import { bootLinesFor, findBootFile } from './boot-lines.js';
import { configText } from './config-text.js';

/** How a project is set up. */
export interface InitOptions {
  /** Of the project; default the working directory. */
  readonly directory?: string | undefined;
  /** Of the files that are written: `js`, `mjs`, `cjs`, `ts`, `mts`, `cts`, or `sql` for the migration alone. Default: as the project is. */
  readonly extension?: string | undefined;
}

/** What was written into a project, and what is left to write. Plain data, frozen. */
export interface Init {
  /** What was written, absolute. */
  readonly files: readonly string[];
  /** What was there already, and was left as it is. */
  readonly left: readonly string[];
  /** The file in which the application seems to start; undefined where none has a usual name. */
  readonly bootFile: string | undefined;
  /** What to write there, before the application listens. */
  readonly bootLines: readonly string[];
}

interface Request extends InitOptions {
  readonly migrations: MigrationsConfig;
}

/** Writes what is missing and overwrites nothing; a second call changes nothing. With a knexfile it writes nothing. Throws EM_CONFIG_INVALID. */
export async function setUp({ directory = '.', extension, migrations }: Request): Promise<Init> {
  const root = resolve(directory);
  const project = readProject(root);
  const present = findConfigFile(root);
  const steps = migrations.directories.at(-1) ?? join(root, 'migrations');
  const config = present ?? join(root, `ensure-migrated.config.${configExtension(project, extension)}`);
  const bootFile = findBootFile(root);
  const bootLines = bootLinesFor({ config, project, bootFile: bootFile ?? join(root, basename(config)) });
  if (present !== undefined && isKnexfile(present)) return frozen({ files: [], left: [present], bootFile, bootLines });
  const first =
    (await listExisting(migrations)).length === 0 ? (await writeRevision(migrations, { message: 'initial schema', extension })).files : [];
  if (present === undefined) writeNew(config, configText({ config, project, steps: relative(root, steps) }));
  const left = [...(present === undefined ? [] : [present]), ...(first.length > 0 ? [] : [steps])];
  return frozen({ files: [...(present === undefined ? [config] : []), ...first], left, bootFile, bootLines });
}

function frozen(init: Init): Init {
  return Object.freeze({
    ...init,
    files: Object.freeze(init.files),
    left: Object.freeze(init.left),
    bootLines: Object.freeze(init.bootLines),
  });
}

function configExtension({ language }: Project, asked: string | undefined): string {
  const extension = asked?.toLowerCase().replace(/^\./, '');
  if (extension === undefined || extension === 'sql') return language;
  if (configExtensions.includes(extension)) return extension;
  const remedy = `Ask for one of ${configExtensions.join(', ')}, sql.`;
  throw new MigrationError('EM_CONFIG_INVALID', `"${extension}" is no extension of a configuration file.`, { remedy });
}

function writeNew(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    const remedy = 'Correct the directory or its permissions.';
    throw new MigrationError('EM_CONFIG_INVALID', `${file} cannot be written: ${messageOf(cause)}.`, { cause, remedy });
  }
}
