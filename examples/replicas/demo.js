// A primary and a standby from the embedded binaries, or this machine's own PostgreSQL; a service that migrates, and reads from the standby at once. `npm run demo:replicas`
import { ensureMigrated } from 'ensure-migrated';
import pg from 'pg';
import { startEmbedded, startStandby } from '../../dist/embedded.js';

const primary = await startEmbedded();
const standby = await startStandby(primary, { settings: { recovery_min_apply_delay: '2s' } }); // slow, so that the wait is seen
const patients = { up: (knex) => knex.schema.createTable('patients', (table) => table.increments('id')), down: () => undefined };

const outcome = await ensureMigrated({
  connection: primary.url,
  migrations: { modules: { '01_patients': patients } },
  replicas: [{ name: 'reads', connection: standby.url }],
  logger: false,
  onProgress: ({ event, state, detail }) => event === 'replica.waiting' && console.log(`waiting for the standby: ${state}, ${detail}`),
});
console.log(outcome.status, outcome.replicas);

const client = new pg.Client(standby.url);
await client.connect();
console.log('read on the standby:', (await client.query('select count(*)::int as patients from patients')).rows);
await client.end();
await standby.remove();
await primary.remove();
