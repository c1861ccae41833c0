// Starts both services at once, and shows what they have written into the table of the package. Environment: DATABASE_URL.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { readLog } from './acme-audit/index.js';

const services = ['orders.js', 'billing.js'].map((file) => fork(fileURLToPath(new URL(file, import.meta.url))));
const codes = await Promise.all(services.map(async (service) => (await once(service, 'exit'))[0]));

if (codes.every((code) => code === 0)) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  for (const { actor, action, details } of await readLog(client, 10)) console.log(`log: ${actor} ${action} ${JSON.stringify(details)}`);
  const { rows } = await client.query('select name from acme_audit_migrations order by id');
  console.log(`acme_audit has run, once for both: ${rows.map(({ name }) => name).join(', ')}`);
  await client.end();
}
process.exitCode = Math.max(...codes);
