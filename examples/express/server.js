// The same service on Express, which this repository does not install: `npm install express`. Environment: DATABASE_URL, PORT.
import { once } from 'node:events';
import { createProbe, ensureMigrated } from 'ensure-migrated';
import express from 'express';
import pg from 'pg';
import { addRoutes } from './app.js';

const probe = createProbe();
const app = express();
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
pool.on('error', (error) => console.warn(`an idle connection was lost: ${error.message}`));
addRoutes(app, { probe, pool });

const server = app.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`Server listening at http://127.0.0.1:${server.address().port}`);

async function close() {
  server.close();
  await pool.end();
}

try {
  await ensureMigrated({ application: { name: 'notes-express' }, onProgress: probe.onProgress });
  process.once('SIGTERM', close);
  console.log('serving');
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
  await close();
}
