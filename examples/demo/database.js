import { randomBytes } from 'node:crypto';
import pg from 'pg';

/**
 * An empty database for the demo, and a connection to it. With DATABASE_URL it is made on that server and dropped again, and the database
 * named there is left alone; without, an embedded PostgreSQL is started and thrown away.
 * `close` leaves nothing behind.
 */
export async function openDatabase() {
  const server = process.env.DATABASE_URL ? { url: process.env.DATABASE_URL, remove: async () => undefined } : await startServer();
  const name = `ensure_migrated_demo_${randomBytes(4).toString('hex')}`;
  try {
    await runAlone(server.url, `create database ${name}`);
  } catch (error) {
    await server.remove();
    throw error;
  }
  const url = withDatabase(server.url, name);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const query = async (text, values) => (await client.query(text, values)).rows;
  const [{ server_version: version }] = await query('show server_version');
  const where = process.env.DATABASE_URL ? `on the server of DATABASE_URL, database ${name}` : 'embedded, started for this demo';
  const close = async () => {
    await client.end();
    await runAlone(server.url, `drop database ${name} with (force)`);
    await server.remove();
  };
  return { url, query, version, where, close };
}

async function startServer() {
  const { startEmbedded } = await import('../../dist/embedded.js');
  return await startEmbedded();
}

function withDatabase(url, name) {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function runAlone(url, sql) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
