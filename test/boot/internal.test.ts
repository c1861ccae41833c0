import { expect, test } from 'vitest';
import { holdersOf } from '../support/boot.js';
import { createDatabase } from '../support/servers.js';
import { boot, expectAtHead, first, historyOf, migrationsOf } from './fixture.js';

test('a statement of its own that the server refuses is EM_INTERNAL with the cause, changes nothing, and the next boot goes on', async () => {
  const database = await createDatabase();
  await boot(database, await migrationsOf({}));
  const directory = await migrationsOf({ '02_second.js': { statements: [] } });
  await database.query(`create function refuse() returns trigger language plpgsql as $$ begin raise 'not in this house'; end $$`);
  await database.query('create trigger refuse before update on knex_migrations_lock for each row execute function refuse()');
  const error = await boot(database, directory).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'EM_INTERNAL', retryable: false, exitCode: 78 });
  expect((error as Error).cause).toMatchObject({ code: 'P0001', message: 'not in this house' });
  expect(await historyOf(database)).toEqual([first]);
  expect(await holdersOf(database)).toEqual([]);
  await database.query('drop trigger refuse on knex_migrations_lock');
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated' });
  await expectAtHead(database, { history: [first, '02_second.js'] });
});
