// Works on backfills once a line comes on its standard input: options from the environment variable RUN. Goes on by itself after a lost session.
import { once } from 'node:events';
import { backfill } from 'ensure-migrated';

await import('../../dist/backfill/run.js'); // what is loaded on first need

const tell = (event, fields) => process.stdout.write(`${JSON.stringify({ ...fields, event })}\n`);
const { connection, tableName } = JSON.parse(process.env.RUN);
const modules = { 'another.js': { up: () => undefined, down: () => undefined } }; // what has no code needs no migration here
const options = { connection, migrations: { modules, tableName }, logger: false, throttle: false };

tell('child.ready');
await once(process.stdin, 'data');
for (;;) {
  try {
    tell('child.ended', { progress: await backfill.run(options) });
    process.exit(0);
  } catch (error) {
    tell('child.failed', { code: error.code, message: error.message });
    if (!error.retryable) process.exit(1);
  }
}
