// A service: migrations of its own, and those of the package acme-audit. Environment: DATABASE_URL.
import { ensureMigrated } from 'ensure-migrated';
import pg from 'pg';
import { audit, auditStream } from './acme-audit/index.js'; // of an installed package: from 'acme-audit'

try {
  const { status, streams } = await ensureMigrated({
    application: { name: 'orders' },
    // Two services with migrations of their own on one database: each has a history table of its own.
    migrations: { directory: new URL('./orders-migrations', import.meta.url), tableName: 'orders_migrations' },
    streams: [auditStream],
  });
  console.log(`orders: ${status}; ${streams.map(({ name, to }) => `${name} at ${to}`).join(', ')}`);
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query("insert into orders (item) values ('a chair')");
  await audit(client, { actor: 'orders', action: 'ordered', details: { item: 'a chair' } });
  await client.end();
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
}
