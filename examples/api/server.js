// The API of the clinical-notes service. Environment: DATABASE_URL, PORT.
// It listens first, so that the health endpoints answer while it waits or migrates, and serves requests once the database matches the code.
import { createProbe, ensureMigrated } from 'ensure-migrated';
import Fastify, { LogController } from 'fastify';
import pg from 'pg';
import { routes } from './routes.js';

const probe = createProbe();
const app = Fastify({ logger: { name: 'notes-api' }, logController: new LogController({ disableRequestLogging: true }) });
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
pool.on('error', (error) => app.log.warn(error, 'an idle connection was lost'));

app.get('/health/:check', (request, reply) => {
  reply.hijack();
  probe.handler(request.raw, reply.raw);
});
await app.register(routes, { pool, probe });

async function close() {
  await app.close();
  await pool.end();
}

await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) });
try {
  await ensureMigrated({ application: { name: 'notes-api' }, logger: app.log, onProgress: probe.onProgress });
  process.once('SIGTERM', close);
  app.log.info('serving');
} catch (error) {
  app.log.fatal(error);
  process.exitCode = error.exitCode ?? 1;
  await close();
}
