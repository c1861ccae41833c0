import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import type { BackupDirectory } from '../config/index.js';

export interface BackupName {
  readonly database: string;
  /** The newest applied migration. */
  readonly revision: string | undefined;
  readonly at: Date;
}

/**
 * `clinic-0007_orders-20260731T020000000Z.dump`. What stands before the first dash is the database and nothing else, whatever it is called:
 * other characters than letters, digits, `_` and `.` are percent-encoded in it. Pure.
 */
export function fileNameOf({ database, revision, at }: BackupName): string {
  const safe = (revision ?? 'base').replaceAll(/\.[a-z]+$/g, '').replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const time = at.toISOString().replaceAll(/[-:.]/g, '');
  return `${encoded(database)}-${safe.slice(0, 60)}-${time}.dump`;
}

function encoded(database: string): string {
  const percent = (byte: number) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return database.replaceAll(/[^A-Za-z0-9_.]/gu, (char) => [...Buffer.from(char)].map(percent).join(''));
}

const partialSuffix = '.partial';
const backupPattern = /^([^-]+)-[\w.-]+-(\d{8}T\d{9}Z)\.dump(\.partial)?$/;

/** Those of our files among the names that are backups of this database, newest first. Pure. */
function backupsOf(database: string, names: readonly string[]): string[] {
  return ours(database, names)
    .filter(({ partial }) => !partial)
    .sort((one, other) => other.time.localeCompare(one.time))
    .map(({ name }) => name);
}

function ours(database: string, names: readonly string[]) {
  const parsed = names.map((name) => ({ name, match: backupPattern.exec(name) }));
  return parsed
    .filter(({ match }) => match?.[1] === encoded(database))
    .map(({ name, match }) => ({ name, time: match?.[2] ?? '', partial: match?.[3] !== undefined }));
}

/** A backup that is being written. Removed when it is disposed, unless it was kept. */
export interface PartialFile extends AsyncDisposable {
  readonly path: string;
  /** Takes the bytes. */
  readonly output: Writable;
  readonly bytes: number;
  /** Writes it to the disk for good. */
  sync(): Promise<void>;
  /** Gives it its own name; resolves with its path. */
  keep(): Promise<string>;
}

/** Makes the file, readable by our own user only. Throws what the file system says; the directory must be there. */
export async function openPartial(directory: string, name: string): Promise<PartialFile> {
  const final = path.join(directory, name);
  const partial = `${final}${partialSuffix}`;
  const handle = await open(partial, 'wx', 0o600);
  let bytes = 0;
  // A stream of the handle's own would keep it open when nothing is written to it.
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      handle.appendFile(chunk).then(() => done(), done);
    },
  });
  return {
    path: partial,
    output,
    get bytes() {
      return bytes;
    },
    sync: async () => await handle.sync(),
    async keep() {
      await rename(partial, final);
      await syncDirectory(directory);
      return final;
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
      await rm(partial, { force: true });
    },
  };
}

// The rename itself must outlive a power cut.
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A run that was killed leaves its partial file behind; one that is this old has no writer any more. */
const abandonedMs = 24 * 60 * 60 * 1_000;

/** Removes all but the newest `keepCount` backups of this database, and what killed runs have left. Gives what could not be removed, and why. */
export async function removeOld(
  { directory, keepCount }: BackupDirectory,
  database: string,
): Promise<{ readonly removed: readonly string[]; readonly failed: readonly { readonly file: string; readonly error: unknown }[] }> {
  const names = await readdir(directory);
  const old = keepCount === undefined ? [] : backupsOf(database, names).slice(keepCount);
  const files = [...old, ...(await abandoned(directory, database, names))].map((name) => path.join(directory, name));
  const ends = await Promise.allSettled(files.map(async (file) => await rm(file, { force: true })));
  const failed = ends.flatMap((end, index) =>
    end.status === 'rejected' ? [{ file: files[index] ?? '', error: end.reason as unknown }] : [],
  );
  return { removed: files.filter((file) => !failed.some((each) => each.file === file)), failed };
}

async function abandoned(directory: string, database: string, names: readonly string[]): Promise<string[]> {
  const partials = ours(database, names).filter(({ partial }) => partial);
  const ages = await Promise.all(partials.map(async ({ name }) => Date.now() - (await stat(path.join(directory, name))).mtimeMs));
  return partials.filter((_, index) => (ages[index] ?? 0) > abandonedMs).map(({ name }) => name);
}
