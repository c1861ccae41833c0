import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { messageOf, MigrationError } from '../errors.js';
import { withLink } from './link.js';

/**
 * Rows that every test finds: a function, called with knex after the last migration; or .sql files, or directories of them, run in the order
 * of their names.
 */
export type Seed = ((knex: Knex) => unknown) | string | URL | readonly (string | URL)[];

/** The seed, read. */
export interface ReadSeed {
  /** Changes when the seed does; of a function its text, which does not show what it imports. */
  readonly identity: string;
  /** Writes the rows. */
  run(url: string, openKnex: () => Knex): Promise<void>;
}

/** Reads the files of a seed. Throws EM_TEST_SERVER for one that is not there. */
export async function readSeed(seed: Seed | undefined): Promise<ReadSeed | undefined> {
  if (seed === undefined) return undefined;
  if (typeof seed === 'function') return { identity: String(seed), run: async (_url, openKnex) => await runFunction(seed, openKnex) };
  const places = Array.isArray(seed) ? (seed as readonly (string | URL)[]) : [seed as string | URL];
  const files = (await Promise.all(places.map(readPlace))).flat();
  return { identity: JSON.stringify(files), run: async (url) => await runFiles(files, url) };
}

interface File {
  readonly name: string;
  readonly text: string;
}

async function readPlace(place: string | URL): Promise<File[]> {
  const name = place instanceof URL ? fileURLToPath(place) : path.resolve(place);
  try {
    const isDirectory = (await stat(name)).isDirectory();
    const names = isDirectory ? (await readdir(name)).filter((each) => each.endsWith('.sql')).sort() : [''];
    return await Promise.all(
      names.map(async (each) => ({ name: each || path.basename(name), text: await readFile(path.join(name, each), 'utf8') })),
    );
  } catch (cause) {
    throw new MigrationError('EM_TEST_SERVER', `the seed ${name} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: 'Correct the option `seed`: a function, or paths of .sql files.',
    });
  }
}

async function runFiles(files: readonly File[], url: string): Promise<void> {
  await withLink(url, async (link) => {
    await link.query('reset all'); // as the database's own settings have it
    for (const { name, text } of files) await link.query(text).catch((error: unknown) => refuse(name, error));
  });
}

async function runFunction(seed: (knex: Knex) => unknown, openKnex: () => Knex): Promise<void> {
  const knex = openKnex();
  try {
    await seed(knex);
  } catch (error) {
    refuse(seed.name || 'function', error);
  } finally {
    await knex.destroy();
  }
}

function refuse(name: string, cause: unknown): never {
  throw new MigrationError('EM_TEST_SERVER', `the seed ${name} failed: ${messageOf(cause)}`, {
    cause,
    remedy: 'Correct the seed. The template that it was for has been dropped.',
  });
}
