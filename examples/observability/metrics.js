// Counters for Prometheus, from the events of a boot. Environment: DATABASE_URL, PORT. `curl localhost:3000/metrics` shows them.
import { once } from 'node:events';
import http from 'node:http';
import { createProbe, ensureMigrated } from 'ensure-migrated';
import { Counter, Gauge, register } from 'prom-client';

const probe = createProbe();
const applied = new Counter({ name: 'migrations_applied_total', help: 'Migrations that this process has applied.' });
const retried = new Counter({ name: 'migration_retries_total', help: 'Attempts that were taken back because others would have waited.' });
const failed = new Counter({ name: 'boot_failures_total', help: 'Boots that were refused or failed.', labelNames: ['code'] });
const phase = new Gauge({ name: 'boot_phase_seconds', help: 'How long each phase of the last boot took.', labelNames: ['phase'] });
const ready = new Gauge({ name: 'boot_ready', help: '1 once the database is as this release needs it.' });
const rows = new Gauge({ name: 'backfill_rows_seen', help: 'Rows that a backfill has come past.', labelNames: ['backfill'] });

function onProgress(event) {
  probe.onProgress(event);
  if (event.event === 'step.applied') applied.inc();
  if (event.event === 'step.retried') retried.inc();
  if (event.event === 'boot.failed') failed.inc({ code: event.code });
  if (event.event === 'boot.ready') {
    ready.set(1);
    for (const [name, ms] of Object.entries(event.timings)) phase.set({ phase: name }, ms / 1000);
  }
  if (event.event === 'backfill.progress') {
    for (const { backfill, seenCount } of event.backfills) rows.set({ backfill }, seenCount);
  }
}

const server = http.createServer(async (req, res) => {
  if (req.url !== '/metrics') return probe.handler(req, res);
  res.setHeader('content-type', register.contentType).end(await register.metrics());
});
server.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`Metrics listening at http://127.0.0.1:${server.address().port}`);

try {
  await ensureMigrated({ application: { name: 'notes-metrics' }, logger: false, onProgress });
  console.log('serving');
} catch (error) {
  console.error(error.message); // a refused boot goes on telling its metrics until somebody stops it
}
process.once('SIGTERM', () => server.close());
