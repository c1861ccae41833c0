import { constants, copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MigrationsConfig } from '../config/index.js';
import { messageOf, MigrationError } from '../errors.js';

/**
 * Where migrations stand until they are proved: a directory of its own beside the others, in which nobody looks for migrations, neither a boot nor knex, and from
 * which they import what they will import. Removed when it is disposed; one of a process that was killed stays, and does no harm.
 */
export class Draft implements Disposable {
  private constructor(readonly path: string) {}

  /** Makes the directory of the migrations where there is none. Throws EM_CONFIG_INVALID. */
  static in(directory: string): Draft {
    try {
      mkdirSync(directory, { recursive: true });
      return new Draft(mkdtempSync(join(directory, '.unproved-')));
    } catch (cause) {
      throw unwritable(directory, cause);
    }
  }

  /** The configuration under which what stands here counts as a migration, and new ones are written here. */
  under(config: MigrationsConfig): MigrationsConfig {
    return Object.freeze({ ...config, draft: this.path });
  }

  /** Where a file will stand. */
  placeOf(file: string): string {
    return dirname(file) === this.path ? join(dirname(this.path), basename(file)) : file;
  }

  /** Puts files into their place, in their order. Overwrites nothing: throws EM_CONFIG_INVALID, and none of them is left there then. */
  publish(files: readonly string[]): void {
    const placed: string[] = [];
    try {
      for (const file of files) {
        putThere(file, this.placeOf(file));
        placed.push(this.placeOf(file));
      }
    } catch (cause) {
      for (const place of placed) rmSync(place, { force: true });
      throw unwritable(dirname(this.path), cause);
    }
  }

  [Symbol.dispose](): void {
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // It stays, and does no harm.
    }
  }
}

// A link is there whole or not at all; some file systems have none.
function putThere(file: string, place: string): void {
  try {
    linkSync(file, place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    copyFileSync(file, place, constants.COPYFILE_EXCL);
  }
}

function unwritable(path: string, cause: unknown): MigrationError {
  const remedy = 'Let this process write into the directory of the migrations, then give the same command again. Nothing was changed.';
  return new MigrationError('EM_CONFIG_INVALID', `${path} cannot be written: ${messageOf(cause)}.`, { cause, remedy });
}
