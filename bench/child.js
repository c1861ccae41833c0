// One measured process: `node child.js <tool> <url> <directory>`. Imports first, then waits for a line on stdin, then does its one call.
import { once } from 'node:events';

const [tool, url, directory, loaded] = process.argv.slice(2);
const started = performance.now();
const run = await tools()[tool]();
const importMs = performance.now() - started;

process.stdout.write('ready\n');
await once(process.stdin, 'data');
const called = performance.now();
let failure;
try {
  await run();
} catch (error) {
  failure = error.message.split('\n')[0];
}
const callMs = performance.now() - called;
process.stdout.write(`${JSON.stringify({ importMs, callMs, failure, peakMb: process.resourceUsage().maxRSS / 1024 })}\n`);
process.exit(0);

function tools() {
  return {
    // The floor: what any boot pays that asks the database what is applied.
    async pg() {
      const { default: pg } = await import('pg');
      return async () => {
        const client = new pg.Client(url);
        await client.connect();
        await client.query('select name from knex_migrations order by id');
        await client.end();
      };
    },
    async knex() {
      const { default: createKnex } = await import('knex');
      await import('pg');
      return async () => {
        const log = { debug() {}, warn() {}, error() {}, deprecate() {} }; // its console lines would stand between ours
        const knex = createKnex({ client: 'pg', connection: url, migrations: { directory }, log });
        await knex.migrate.latest();
        await knex.destroy();
      };
    },
    ...Object.fromEntries(['each', 'all'].map((transaction) => [transaction, () => ours(transaction)])),
  };
}

async function ours(transaction) {
  const { ensureMigrated } = await import('../dist/index.js');
  // A herd is timed from after all imports, as knex's is: what a boot loads on first need is loaded before.
  if (loaded === 'loaded') await Promise.all([import('knex'), import('../dist/migrate.js'), import('../dist/upgrade.js')]);
  return () => ensureMigrated({ connection: url, migrations: directory, transaction, logger: false });
}
