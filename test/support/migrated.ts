import { inject } from 'vitest';
import { startTestDatabases, type Harness } from '../../src/testing/index.js';
import { afterFile } from './cleanup.js';
import { makeDirectory, type Files } from './directories.js';
import { databaseAt, type TestDatabase } from './servers.js';

const harnesses = new Map<Files, Promise<Harness>>();

/** A database of the test's own where these migrations have run: a copy, by the harness that users have, of a template that is made once. */
export async function copyMigrated(files: Files): Promise<TestDatabase> {
  const harness = harnesses.get(files) ?? startHarness(files);
  harnesses.set(files, harness);
  const copy = await (await harness).acquire();
  const database = databaseAt(copy.url);
  afterFile(async (failed) => {
    if (failed) console.log(`A test failed; its database (KEEP_FAILED=1 keeps the server up): ${await copy.keep()}`);
    await copy.release();
    if (!failed) await database.drop();
  });
  return database;
}

async function startHarness(files: Files): Promise<Harness> {
  const harness = await startTestDatabases({ url: inject('serverUrl'), migrations: await makeDirectory(files) });
  afterFile(async () => await harness.stop());
  return harness;
}
