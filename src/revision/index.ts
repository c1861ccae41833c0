/** Makes a new migration: its name, its text, its files. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { MigrationsConfig } from '../config/index.js';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import { listMigrations, migrationId, type Migration } from '../source/index.js';
import { formFor } from './form.js';
import { judgeMessage, oneLine, slugOf } from './message.js';
import { nextName } from './name.js';
import { downTemplate, fill, readTemplate, type Format } from './template.js';

export { Draft } from './draft.js';
export type { Format } from './template.js';

/** What a new migration is called, where it goes, and what is in it. */
export interface RevisionOptions {
  /** What it changes, in a few words. Becomes a part of its name, and the first line of the file. */
  readonly message: string;
  /** `js`, `mjs`, `cjs`, `ts`, `mts`, `cts` or `sql`; default `migrations.extension`, then as the last migration, then as the project is. */
  readonly extension?: string | undefined;
  /** One of the directories of the migrations; default the last, as knex has it. */
  readonly directory?: string | undefined;
  /** What stands in it, instead of a template. */
  readonly body?: Body | undefined;
  /** The file to fill in; default `migrations.stub`, then a text of our own. */
  readonly stub?: string | undefined;
}

/** Gives the texts of a migration in a format: its file, and for SQL the one that takes it back. */
export type Body = (format: Format, title: string) => readonly [up: string, down: string | undefined];

/** A migration that was written. Plain data, frozen. */
export interface Revision {
  /** As the history will have it. */
  readonly name: string;
  /** What was written, absolute: two files for an .up.sql with its .down.sql. */
  readonly files: readonly string[];
  /** Warnings. */
  readonly findings: readonly Finding[];
}

/**
 * Writes a new migration that does nothing yet and sorts after all others. Makes the directory where there is none; overwrites nothing. Throws
 * EM_CONFIG_INVALID for what cannot be done as asked, before anything is written, and EM_MIGRATION_INVALID for files that are not in order.
 * With a draft ({@link Draft}) it is written there.
 */
export async function writeRevision(config: MigrationsConfig, asked: RevisionOptions, now = new Date()): Promise<Revision> {
  const { message, extension, stub, body } = asked;
  const directory = directoryFor(config, asked.directory);
  const place = config.draft ?? directory;
  const all = await listExisting(config);
  const isBeside = ({ file }: Migration) => file !== undefined && [directory, place].includes(dirname(file));
  const existing = config.sortDirsSeparately ? all.filter(isBeside) : all;
  const form = formFor({ config, extension, existing, directory });
  const { format } = form;
  const endings = body !== undefined && format === 'sql' ? ['.up.sql', '.down.sql'] : form.endings; // what is generated can be taken back
  const { fileName } = config.making;
  const id = nextName({ fileName, last: existing.at(-1)?.name, now, slug: (separator) => slugOf(message, separator) });
  const name = id + endings[0];
  refuseName(name, all);
  const files = endings.map((ending = '') => join(place, id + ending));
  const texts = body?.(format, oneLine(message)) ?? filled(format, { config, stub, message: oneLine(message), name: id });
  write(files, texts);
  return Object.freeze({ name, files: Object.freeze(files), findings: Object.freeze(judgeMessage(message)) });
}

function filled(
  format: Format,
  { config, stub, ...values }: { config: MigrationsConfig; stub: string | undefined; message: string; name: string },
): readonly string[] {
  const template = readTemplate(format, stub === undefined ? config.making.stub : resolve(stub));
  return [template, downTemplate].map((each) => fill(each, values));
}

/** The one that was asked for, else the last. Throws EM_CONFIG_INVALID for one in which no migration is looked for. */
export function directoryFor({ directories }: MigrationsConfig, asked: string | undefined): string {
  const directory = asked === undefined ? directories.at(-1) : resolve(asked);
  if (directory === undefined) {
    const remedy = 'Name the directory in which the bundle finds its migrations (--directory).';
    throw new MigrationError('EM_CONFIG_INVALID', 'the option `migrations` gives modules, not a directory to write to.', { remedy });
  }
  if (directories.length === 0 || directories.includes(directory)) return directory;
  const remedy = `Name one of these, or correct the option \`migrations\`.`;
  throw new MigrationError('EM_CONFIG_INVALID', `no migration is looked for in ${directory}, but in ${directories.join(', ')}.`, {
    remedy,
  });
}

/** The migrations that there are. Of a new project there may be no directory yet, or nothing in it: then none. */
export async function listExisting(config: MigrationsConfig): Promise<readonly Migration[]> {
  const directories = config.directories.filter((directory) => existsSync(directory));
  if (config.directories.length > 0 && directories.length === 0) return [];
  try {
    return await listMigrations({ ...config, directories });
  } catch (error) {
    if (isMigrationError(error, 'EM_NO_MIGRATIONS')) return [];
    throw error;
  }
}

function refuseName(name: string, all: readonly Migration[]): void {
  const same = all.find(({ id }) => id === migrationId(name));
  if (same !== undefined) throw new MigrationError('EM_CONFIG_INVALID', `${same.file ?? same.name} is there already.`, { remedy: another });
  if (Buffer.byteLength(name) > 255)
    throw new MigrationError('EM_CONFIG_INVALID', `"${name}" is longer than 255 bytes.`, { remedy: another });
}

const another = 'Give another message, or another form to the option `migrations.fileName`.';

// Exclusively: what another process has written meanwhile stays. The way up first, since a .down.sql alone would be a fault.
function write(files: readonly string[], texts: readonly (string | undefined)[]): void {
  const there = files.find((file) => existsSync(file));
  if (there !== undefined) throw new MigrationError('EM_CONFIG_INVALID', `${there} is there already.`, { remedy: another });
  for (const [index, file] of files.entries()) {
    try {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, texts[index] ?? '', { flag: 'wx' });
    } catch (cause) {
      throw new MigrationError('EM_CONFIG_INVALID', `${file} cannot be written: ${messageOf(cause)}.`, { cause, remedy: another });
    }
  }
}
