// Boots once for each line of its standard input, the options of that boot as JSON, and tells what happens as lines of JSON.
import { createInterface } from 'node:readline';
import { ensureMigrated } from 'ensure-migrated';

// What a boot loads on first need is there before `child.ready`: from then on processes differ in what the server does, not in how fast they load.
await Promise.all([
  import('knex'),
  import('p-retry'),
  import('libpg-query'),
  import('../../dist/migrate.js'),
  import('../../dist/upgrade.js'),
]);

let round = 0;
function tell(event, fields) {
  process.stdout.write(`${JSON.stringify({ ...fields, event, round })}\n`);
}

tell('child.ready');
for await (const line of createInterface({ input: process.stdin })) {
  round++;
  const onProgress = ({ event, ...fields }) => tell(event, fields);
  try {
    tell('child.ended', await ensureMigrated({ ...JSON.parse(line), logger: false, onProgress }));
  } catch (error) {
    tell('child.ended', { status: 'failed', code: error.code, message: error.message });
  }
}
