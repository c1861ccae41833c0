// Another service on the same database, with the same package. Environment: DATABASE_URL.
import { ensureMigrated } from 'ensure-migrated';
import pg from 'pg';
import { audit, auditStream } from './acme-audit/index.js';

try {
  const { status, streams } = await ensureMigrated({
    application: { name: 'billing' },
    migrations: { directory: new URL('./billing-migrations', import.meta.url), tableName: 'billing_migrations' },
    streams: [auditStream],
  });
  console.log(`billing: ${status}; ${streams.map(({ name, to }) => `${name} at ${to}`).join(', ')}`);
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query('insert into invoices (amount_cents) values (4900)');
  await audit(client, { actor: 'billing', action: 'invoiced', details: { amountCents: 4900 } });
  await client.end();
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
}
