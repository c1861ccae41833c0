// A service that boots: options from the environment variable BOOT, what happens as lines of JSON on stdout.
import { ensureMigrated } from 'ensure-migrated';

const { connection, directory, killAt, ownListener, ...options } = JSON.parse(process.env.BOOT);

function tell(event, fields) {
  process.stdout.write(`${JSON.stringify({ at: Date.now(), ...fields, event })}\n`);
}

// Dies in the middle of the call stack: at an event, or after a migration's body and before its record.
function die() {
  process.kill(process.pid, 'SIGKILL');
}

const hooks = killAt?.afterBodyOf && {
  afterEach: (_knex, [{ file }]) => file === killAt.afterBodyOf && die(),
};

tell('service.started', { pid: process.pid });
if (ownListener) process.on('SIGTERM', () => tell('service.sigterm'));

try {
  const outcome = await ensureMigrated({
    connection,
    migrations: { directory, ...hooks },
    logger: false,
    onProgress: ({ event, ...fields }) => {
      tell(event, fields);
      if (killAt?.event === event && [undefined, fields.migration].includes(killAt.migration)) die();
    },
    ...options,
  });
  tell('service.ready', { outcome });
} catch (error) {
  const { code, message, remedy, retryable, exitCode, findings } = error;
  tell('service.failed', { code, message, remedy, retryable, findings });
  if (ownListener) await new Promise((resolve) => setTimeout(resolve, 200)); // time to hear a signal that was sent again
  process.exit(exitCode); // a migration that was left behind may still have timers
}
