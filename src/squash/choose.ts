import { existsSync } from 'node:fs';
import path from 'node:path';
import type { MigrationsConfig } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { listMigrations, migrationId, type Migration, type Replaced } from '../source/index.js';
import { findRevision } from '../state.js';

/** What becomes one migration. */
export interface Chosen {
  readonly directory: string;
  /** Of the new migration: it sorts after the last that it replaces, and before all others. */
  readonly name: string;
  readonly replaces: readonly Replaced[];
  /** What is there of them. */
  readonly migrations: readonly Migration[];
  /** All that there are, with those that come later. */
  readonly all: readonly Migration[];
}

/**
 * Chooses what is squashed. Imports nothing. Throws EM_PLAN_REFUSED where a file cannot be written that would be found at its place, and where there are
 * not two migrations to make one of.
 */
export async function chooseSquash(config: MigrationsConfig, to: string): Promise<Chosen> {
  if (to === '') throw refused('no revision to squash to is given', 'Name the last that is squashed: --to (`to`).');
  const directory = directoryOf(config);
  const all = await listMigrations(config);
  const last = findRevision(to, all, 'the revision to squash to');
  const migrations = all.slice(0, all.indexOf(last) + 1);
  if (migrations.length < 2) {
    throw refused(`${last.name} is the only migration up to there`, 'Name a later one: what is squashed is all from the first up to it.');
  }
  const name = `${stemOf(last)}_squash.up.sql`;
  refusePlace(name, { last, next: all[migrations.length] });
  return { directory, name, replaces: replacedBy(migrations), migrations, all };
}

function directoryOf({ directories, loadExtensions }: MigrationsConfig): string {
  const [directory, ...others] = directories;
  if (directory !== undefined && others.length === 0 && loadExtensions?.includes('.sql') !== false) return directory;
  throw refused('a squash is written as a .sql file', 'Give one directory of migrations, and let loadExtensions have .sql.');
}

function stemOf({ name }: Migration): string {
  return migrationId(name).replace(/(?:\.up)?\.sql$/, '');
}

// By code units, as they are listed.
function refusePlace(name: string, { last, next }: { readonly last: Migration; readonly next: Migration | undefined }): void {
  if (name > last.name && (next === undefined || name < next.name)) return;
  const after = next === undefined ? '' : ` and before ${next.name}`;
  throw refused(`${name} would not sort after ${last.name}${after}`, 'Squash to another revision.');
}

// An older squash stands for all before it: it comes first, with what it replaces.
function replacedBy(migrations: readonly Migration[]): readonly Replaced[] {
  const squashes = migrations.filter(({ replaces }) => replaces !== undefined);
  const older = squashes.flatMap((squash) => [...(squash.replaces ?? []), replaced(squash, 'all above')]);
  const byId = new Map<string, Replaced>();
  for (const each of [...older, ...migrations.map((migration) => replaced(migration, 'itself'))]) {
    if (!byId.has(each.id)) byId.set(each.id, each);
  }
  return [...byId.values()];
}

function replaced({ name, id, checksum }: Migration, standsFor: Replaced['standsFor']): Replaced {
  return { name, id, checksum, standsFor };
}

/** The files of a migration, absolute. */
export function filesOf({ file }: Migration): string[] {
  if (file === undefined) return [];
  const down = file.replace(/\.up\.sql$/, '.down.sql');
  return down !== file && existsSync(down) ? [file, down] : [file];
}

/** The files of the squash: its way up, and its way back. */
export function pathsOf({ directory, name }: Pick<Chosen, 'directory' | 'name'>): readonly [up: string, down: string] {
  return [path.join(directory, name), path.join(directory, name.replace(/\.up\.sql$/, '.down.sql'))];
}

export function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was changed.` });
}
