import { startTestDatabases } from 'ensure-migrated/testing';

/** One server and one template for all workers: they find both by DATABASE_URL. */
export default async function startServer() {
  globalThis.harness = await startTestDatabases();
  process.env.DATABASE_URL = globalThis.harness.url;
}
