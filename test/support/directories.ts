import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterFile } from './cleanup.js';
import { root } from './majors.js';

/** Path: text. */
export type Files = Readonly<Record<string, string>>;

/** A directory with these files in the system's temporary one; deleted after the file's tests. */
export async function makeDirectory(files: Files = {}): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'em-test-'));
  afterFile(async () => await rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), text);
  }
  return directory;
}

/** The same, where `ensure-migrated` (the built dist/), knex, pg, tsx and the types are installed. */
export async function makeInstalled(files: Files = {}): Promise<string> {
  const directory = await makeDirectory(files);
  await mkdir(path.join(directory, 'node_modules'));
  await symlink(root, path.join(directory, 'node_modules/ensure-migrated'));
  for (const name of ['knex', 'pg', 'tsx', '@types']) {
    await symlink(path.join(root, 'node_modules', name), path.join(directory, 'node_modules', name));
  }
  return directory;
}
