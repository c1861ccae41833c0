// npm run demo: an API and three workers boot at once on an empty database, a process is killed in the middle of a migration, and the
// next boot heals. Checks what it shows; exits 0, or 1 with the sentence that was not true.
// Starts a PostgreSQL of its own, or uses DATABASE_URL: there in a database that it makes and drops.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { openDatabase } from './database.js';
import { startService, stopServices } from './services.js';
import { bootTogether, finish, healAfterKill, killInTheMiddle, useApi } from './story.js';
import { makeReleases } from './releases.js';

if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
  console.error('The demo runs the built library, and dist/ is missing: run `npm ci` or `npm run build` first.');
  process.exit(1);
}

const started = Date.now();
const closers = [];
let stopped = false;

async function run() {
  const database = await openDatabase();
  closers.push(database.close);
  console.log(`PostgreSQL ${database.version}, ${database.where}`);
  const releases = await makeReleases();
  closers.push(() => rm(releases.root, { recursive: true }));
  closers.push(stopServices);
  const start = (name, file, directory) => startService({ name, file, directory, databaseUrl: database.url });
  const demo = { database, releases, start };
  const services = await bootTogether(demo);
  await useApi(services);
  await killInTheMiddle(demo);
  services.push(await healAfterKill(demo));
  await finish(services);
}

// The last opened is closed first. A failure here is told, and does not keep the others from being closed.
async function close() {
  for (const closer of closers.splice(0).reverse()) {
    await closer().catch((error) => {
      console.error(`while cleaning up: ${error.message}`);
      process.exitCode = 1;
    });
  }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, async () => {
    stopped = true;
    await close();
    process.exit(code);
  });
}

try {
  await run();
  await close();
  console.log(`\nThe demo is over: all as it should be, after ${((Date.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  if (!stopped) {
    console.error(`\nThe demo failed: ${error.message}`);
    process.exitCode = 1;
    await close();
  }
}
