import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { poll, waitUntilRuns } from '../support/boot.js';
import { createDatabase } from '../support/servers.js';
import { boot, migrationsOf } from './fixture.js';

const lockMs = 400;

/** A database whose next migration waits for a table, in a single statement, until `open` is called. */
async function makeGate() {
  const database = await createDatabase();
  await boot(database, await migrationsOf({}));
  await database.query('create table gate ()');
  const gate = await database.connect();
  await gate.query('begin; lock table gate');
  const directory = await migrationsOf({ '02_second.js': { statements: ['lock table gate'] } });
  return { database, directory, open: async () => await gate.query('rollback') };
}

describe('mode wait, while a single statement of the holder runs for longer than lockMs', () => {
  test.each(['may see it', 'may only read the history'])('goes on waiting, as a role that %s', async (which) => {
    const { database, directory, open } = await makeGate();
    const reader = await database.createRole();
    await database.query(`grant select on all tables in schema public to "${reader.name}"`);
    const as = which === 'may see it' ? database : reader;
    const migrating = boot(database, directory, { rules: { 'schema-drift': 'off' } });
    await waitUntilRuns(database, 'lock table gate');
    const waiting = boot(as, directory, { mode: 'wait', timeouts: { lockMs } });
    expect(await Promise.race([waiting.catch((error: unknown) => error), sleep(4 * lockMs, 'still waiting')])).toBe('still waiting');
    await open();
    await migrating;
    await expect(waiting).resolves.toMatchObject({ status: 'in-sync', to: '02_second.js' });
  });

  test('does not wait for a holder that does nothing', async () => {
    const { database, directory, open } = await makeGate();
    await open();
    const stuck = await database.connect();
    await stuck.query(
      `select pg_advisory_lock(1701669223, ('x' || left(encode(sha256('public.knex_migrations'), 'hex'), 8))::bit(32)::int)`,
    );
    await poll(
      async () => (await database.query(`select from pg_locks where locktype = 'advisory' and classid = 1701669223 and granted`))[0],
    );
    await expect(boot(database, directory, { mode: 'wait', timeouts: { lockMs } })).rejects.toMatchObject({ code: 'EM_WAIT_TIMEOUT' });
  });

  test('does not wait longer than callMs', async () => {
    const { database, directory, open } = await makeGate();
    const migrating = boot(database, directory, { rules: { 'schema-drift': 'off' } });
    await waitUntilRuns(database, 'lock table gate');
    const error = await boot(database, directory, { mode: 'wait', timeouts: { lockMs, callMs: 2 * lockMs } }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'EM_CALL_TIMEOUT', retryable: true, exitCode: 75 });
    await open();
    await expect(migrating).resolves.toMatchObject({ status: 'migrated' });
  });
});
