// Boots once for each line of its standard input, the options of that boot as JSON, and tells what happens as lines of JSON.
import { createInterface } from 'node:readline';
import { ensureMigrated } from 'ensure-migrated';

// What a boot loads on first need is there before `child.ready`: from then on processes differ in what the server does, not in how fast they load.
await Promise.all([import('knex'), import('pino'), import('p-retry'), import('libpg-query'), import('../../dist/migrate.js')]);

function tell(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

tell({ event: 'child.ready' });
let round = 0;
for await (const line of createInterface({ input: process.stdin })) {
  round++;
  const events = [];
  const onProgress = (event) => events.push(event);
  try {
    const outcome = await ensureMigrated({ ...JSON.parse(line), logger: false, onProgress });
    tell({ event: `child.ended-${round}`, ...outcome, events });
  } catch (error) {
    tell({ event: `child.ended-${round}`, status: 'failed', code: error.code, message: error.message, events });
  }
}
