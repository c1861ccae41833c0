// The smallest service: node:http and nothing else. Environment: DATABASE_URL, PORT.
import { once } from 'node:events';
import http from 'node:http';
import { createProbe, ensureMigrated } from 'ensure-migrated';
import pg from 'pg';

const probe = createProbe();
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
pool.on('error', (error) => console.warn(`an idle connection was lost: ${error.message}`));

const server = http.createServer(async (req, res) => {
  if (req.url.startsWith('/health/')) return probe.handler(req, res);
  if (!probe.ready) return res.writeHead(503, { 'retry-after': '5' }).end();
  if (req.method !== 'GET' || req.url !== '/patients') return res.writeHead(404).end();
  try {
    const { rows } = await pool.query('select id, name, documents from patient_overview order by name limit 100');
    res.setHeader('content-type', 'application/json').end(JSON.stringify(rows));
  } catch (error) {
    console.error(error.message);
    res.writeHead(500).end();
  }
});

async function close() {
  server.close();
  await pool.end();
}

server.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`Server listening at http://127.0.0.1:${server.address().port}`);
try {
  await ensureMigrated({ application: { name: 'notes-http' }, onProgress: probe.onProgress });
  process.once('SIGTERM', close);
  console.log('serving');
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
  await close();
}
