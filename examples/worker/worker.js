// Reads facts out of the documents that nobody has read yet. Environment: DATABASE_URL, PORT (health endpoints).
// As many of these as you like may boot beside the API: one process migrates, the others wait for it.
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createProbe, ensureMigrated } from 'ensure-migrated';
import pg from 'pg';
import { pino } from 'pino';
import { extractNext } from './extract.js';

const log = pino({ name: 'notes-worker' });
const probe = createProbe();
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
pool.on('error', (error) => log.warn(error, 'an idle connection was lost'));
const health = http.createServer(probe.handler).listen(Number(process.env.PORT ?? 3001));
await once(health, 'listening');
log.info(`Health endpoints listening at http://127.0.0.1:${health.address().port}`);

/** Reads one document after the other until it is told to stop; looks for new ones twice a second. */
async function work(stop) {
  while (!stop.aborted) {
    const document = await extractNext(pool);
    if (document) log.info({ event: 'document.read', ...document }, 'document.read');
    else await delay(500, undefined, { signal: stop }).catch(() => undefined);
  }
}

try {
  await ensureMigrated({ application: { name: 'notes-worker' }, logger: log, onProgress: probe.onProgress });
  const stopping = new AbortController();
  process.once('SIGTERM', () => stopping.abort());
  log.info('serving');
  await work(stopping.signal);
} catch (error) {
  log.fatal(error);
  process.exitCode = error.exitCode ?? 1;
} finally {
  health.close();
  await pool.end();
}
