import { expect, test } from 'vitest';
import { MigrationError } from '../../src/index.js';
import { runCall } from '../../src/run-call.js';
import { holdersOf } from '../support/boot.js';
import { createDatabase } from '../support/servers.js';
import { boot, expectAtHead, first, historyOf, migrationsOf } from './fixture.js';

const raise = `create function refuse() returns trigger language plpgsql as $$ begin raise 'not in this house'; end $$`;

test('a statement of its own that the server refuses is EM_INTERNAL with the cause, changes nothing, and the next boot goes on', async () => {
  const database = await createDatabase();
  await boot(database, await migrationsOf({}));
  const directory = await migrationsOf({ '02_second.js': { statements: [] } });
  await database.query(raise);
  await database.query('create trigger refuse before update on knex_migrations_lock for each row execute function refuse()');
  const error = await boot(database, directory).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'EM_INTERNAL',
    retryable: false,
    exitCode: 78,
    outcome: { status: 'failed', to: first, applied: [] },
  });
  expect((error as Error).cause).toMatchObject({ code: 'P0001', message: 'not in this house' });
  expect(await historyOf(database)).toEqual([first]);
  expect(await holdersOf(database)).toEqual([]);
  await database.query('drop trigger refuse on knex_migrations_lock');
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated' });
  await expectAtHead(database, { history: [first, '02_second.js'] });
});

test.each([
  ['a full disk', '53100', /a full disk/],
  ['no room for more locks', '53200', /max_locks_per_transaction/],
  ['an operator who has cancelled it', '57014', /an operator/],
  ['a deadlock', '40P01', /its log/],
])('%s is EM_SERVER_FAILED, may be tried again, and the next boot does', async (_what, state, remedy) => {
  const database = await createDatabase();
  await boot(database, await migrationsOf({}));
  const directory = await migrationsOf({ '02_second.js': { statements: [] } });
  await database.query(raise.replace(';', ` using errcode = '${state}';`));
  await database.query('create trigger refuse before update on knex_migrations_lock for each row execute function refuse()');
  await expect(boot(database, directory)).rejects.toMatchObject({
    code: 'EM_SERVER_FAILED',
    message: expect.stringContaining(`not in this house (SQLSTATE ${state})`) as string,
    remedy: expect.stringMatching(remedy) as string,
    exitCode: 75,
    retryable: true,
  });
  expect(await historyOf(database)).toEqual([first]);
  expect(await holdersOf(database)).toEqual([]);
  await database.query('drop trigger refuse on knex_migrations_lock');
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated' });
});

test('EM_INTERNAL after the migrations says what was applied, and no more; the next boot verifies', async () => {
  const database = await createDatabase();
  await boot(database, await migrationsOf({}));
  const directory = await migrationsOf({ '02_second.js': { statements: [] }, '03_third.js': { statements: [] } });
  await database.query(raise);
  await database.query(
    'create trigger refuse before update on knex_migrations_lock for each row when (new.is_locked = 0) execute function refuse()',
  );
  const error = await boot(database, directory).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'EM_INTERNAL',
    outcome: {
      status: 'failed',
      from: first,
      to: '03_third.js',
      applied: [{ name: '02_second.js' }, { name: '03_third.js' }],
    },
  });
  expect((error as Error).cause).toMatchObject({ code: 'P0001' });
  expect(Object.isFrozen((error as MigrationError).outcome)).toBe(true);
  expect(await historyOf(database)).toEqual([first, '02_second.js', '03_third.js']);
  expect(await holdersOf(database)).toEqual([]);
  await database.query('drop trigger refuse on knex_migrations_lock');
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'in-sync' });
  await expectAtHead(database, { history: [first, '02_second.js', '03_third.js'] });
});

test('before the lock there is no outcome', async () => {
  const database = await createDatabase();
  const error = await boot(database, await migrationsOf({}), { mode: 'verify' }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'EM_OUT_OF_SYNC', outcome: undefined });
});

test('what fails while things are released does not hide why the work has failed', async () => {
  const failing = (what: string) => ({ [Symbol.asyncDispose]: async () => await Promise.reject(new Error(`no release of ${what}`)) });
  const work = async () => {
    await using _one = failing('one');
    await using _two = failing('two');
    throw await Promise.resolve(new MigrationError('EM_LOCK_TIMEOUT', 'waited 7 ms'));
  };
  await expect(runCall({ connection: 'postgres://localhost/none', logger: false }, work)).rejects.toMatchObject({
    code: 'EM_LOCK_TIMEOUT',
    exitCode: 75,
  });
});
