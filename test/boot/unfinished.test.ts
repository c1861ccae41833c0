import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { poll, holdersOf, startBoot, waitUntilRuns } from '../support/boot.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, first, historyOf, migrationsOf, ranIn, sleepsInProcess, sleepsInServer, type Recipe, second } from './fixture.js';

const copyStreams = createRequire(import.meta.url).resolve('pg-copy-streams');

/** Everything that a boot could write, as one value. */
async function contentsOf(database: TestDatabase): Promise<unknown> {
  const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal', 'ran', 'notes'];
  return await Promise.all(tables.map(async (table) => await database.query(`select * from ${table}`)));
}

async function expectRefusedUnchanged(database: TestDatabase, directory: string): Promise<void> {
  await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined));
  const before = await contentsOf(database);
  for (let times = 0; times < 2; times++) {
    await expect(boot(database, directory)).rejects.toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ code: 'history-unfinished', level: 'error', at: { migration: second } }],
    });
  }
  expect(await contentsOf(database)).toEqual(before);
  expect(await historyOf(database)).toEqual([first]);
}

describe('a migration outside a transaction that was killed', () => {
  async function start(recipe: Omit<Recipe, 'transaction'>) {
    const database = await createDatabase();
    const directory = await migrationsOf({ [second]: { ...recipe, transaction: false } });
    return { database, directory, victim: startBoot({ connection: database.url, directory }, { STALL: second }) };
  }

  test('between two ordinary statements is refused by the next boots, which change nothing', async () => {
    const { database, directory, victim } = await start({ statements: [`insert into ran values ('${second}')`], stall: sleepsInProcess });
    await victim.waitForEvent('stalled');
    await victim.kill();
    await expectRefusedUnchanged(database, directory);
    expect(await ranIn(database)).toEqual([first, second]);
  });

  test('in an ordinary statement is refused, also when the server took that statement back', async () => {
    const { database, directory, victim } = await start({ statements: [], stall: sleepsInServer });
    await waitUntilRuns(database, 'pg_sleep');
    await victim.kill();
    await expectRefusedUnchanged(database, directory);
  });

  test('after it has copied rows in through a stream is refused', async () => {
    const copy = `
      const { from } = require(${JSON.stringify(copyStreams)});
      const connection = await knex.client.acquireConnection();
      const stream = connection.query(from('copy notes (id) from stdin'));
      await new Promise((resolve, reject) => stream.on('finish', resolve).on('error', reject).end('1\\n'));
      await knex.client.releaseConnection(connection);`;
    const { database, directory, victim } = await start({ statements: [], stall: copy + sleepsInProcess });
    await victim.waitForEvent('stalled');
    await victim.kill();
    await expectRefusedUnchanged(database, directory);
    expect(await database.query('select id from notes')).toEqual([{ id: 1 }]);
  });

  test('before its first statement is simply run', async () => {
    const { database, directory, victim } = await start({ statements: [], stall: sleepsInProcess });
    await victim.waitForEvent('stalled');
    await victim.kill();
    await expect(boot(database, directory)).resolves.toMatchObject({ applied: [{ name: second }] });
  });
});
