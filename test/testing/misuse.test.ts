import pg from 'pg';
import { expect, test } from 'vitest';
import { startTestDatabases, type TestDatabase, type TestDatabasesOptions } from '../../src/testing/index.js';
import { poll } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase as Maintenance } from '../support/servers.js';
import { files, ours, startHarness } from './fixture.js';

const namesIn = async (db: TestDatabase) => (await db.pool.query<{ name: string }>('select name from people')).rows;
/** A run that has failed keeps neither its connection nor, with it, the lock that says that it is alive. */
const waitUntilLeft = async (maintenance: Maintenance) =>
  await poll(async () => {
    const left = await maintenance.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'ensure-migrated/testing'`,
    );
    return left.length === 0 || undefined;
  }, 5_000);
const ada = `insert into people (name) values ('Ada')`;

test.each<[object, string]>([
  [{ seeds: './seed.sql' }, 'seeds: unknown option; did you mean "seed"?'],
  [{ connection: 'postgres://localhost/app' }, 'connection: unknown option'],
  [{ postgres: '17' }, 'postgres: expected a major version, as a number; got "17"'],
  [{ onLeak: 'eror' }, 'onLeak: expected "warn", "end" or "error"; got "eror"; did you mean "error"?'],
  [{ onIdle: true }, 'onIdle: expected "keep" or "end"; got true'],
  [{ keepFailed: 'yes' }, 'keepFailed: expected true or false; got "yes"'],
  [{ listen: 5432 }, 'listen: expected "socket" or "tcp"; got 5432'],
  [{ seed: ['./seed.sql', 7] }, 'seed: expected a function, or paths of .sql files; got a list'],
  [{ settings: 'fsync=on' }, 'settings: expected an object of settings; got "fsync=on"'],
  [{ url: { host: 'localhost', password: 'secret' } }, 'url: expected a URL; got an object'],
  [{ key: 3, onPhase: 'log' }, 'key: expected text that is not empty; got 3\n  onPhase: expected a function; got "log"'],
  [{ mirgations: './m' }, 'mirgations: unknown option; did you mean "migrations"?'],
])('the options %j are refused', async (options, message) => {
  const refused = startTestDatabases({ url: 'postgres://nowhere.invalid/x', ...options });
  await expect(refused).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID', message: expect.stringContaining(message) as string });
});

test('without migrations there are empty databases, and what needs migrations says that there are none', async () => {
  const { harness, maintenance } = await startHarness({ migrations: '/nowhere' });
  const db = await harness.empty();
  await db.pool.query('create table people (name text)');
  expect([await db.reset(), await namesIn(db).catch((error: unknown) => error)]).toEqual([
    'renewed',
    expect.objectContaining({ code: '42P01' }),
  ]);
  const needing = [() => harness.acquire(), () => harness.at('01'), () => harness.upDownUp(), () => harness.trace()];
  for (const ask of needing)
    await expect(ask()).rejects.toMatchObject({ code: 'EM_NO_MIGRATIONS', message: expect.stringContaining('/nowhere') as string });
  await harness.stop();
  expect(await ours(maintenance)).toEqual([]);
});

test.each<[string, TestDatabasesOptions['seed'], string]>([
  ['a function that throws', () => Promise.reject(new Error('no row')), 'no row'],
  ['a script that fails', 'select 1; select 1/0', 'division by zero'],
  ['a file that is not there', '/nowhere/seed.sql', 'cannot be read'],
])('a seed that is %s is an error and leaves no database', async (_what, seed, message) => {
  const maintenance = await createDatabase();
  const given = typeof seed === 'string' && !seed.startsWith('/') ? await makeDirectory({ 'seed.sql': seed }) : seed;
  const refused = startTestDatabases({ migrations: await makeDirectory(files), url: maintenance.url, seed: given });
  await expect(refused).rejects.toMatchObject({ code: 'EM_TEST_SERVER', message: expect.stringContaining(message) as string });
  expect(await ours(maintenance)).toEqual([]);
  await waitUntilLeft(maintenance);
});

test('a role that may not set what the harness sets is told so, and its session is ended', async () => {
  const maintenance = await createDatabase();
  const role = await maintenance.createRole('createdb');
  await maintenance.query('revoke execute on function pg_catalog.set_config from public');
  const refused = startTestDatabases({ migrations: await makeDirectory(files), url: role.url });
  await expect(refused).rejects.toMatchObject({ code: 'EM_TEST_SERVER', message: expect.stringContaining('set_config') as string });
  await waitUntilLeft(maintenance);
});

test('resets that are asked at once come one after the other', async () => {
  const { harness } = await startHarness();
  await using db = await harness.acquire();
  await db.pool.query('create table more ()');
  expect(await Promise.all([db.reset(), db.reset(), db.reset()])).toEqual(['renewed', 'untouched', 'untouched']);
  await db.pool.query(ada);
  expect(await Promise.all([db.reset(), db.reset()])).toEqual(['mended', 'untouched']);
});

test('a database that was released is neither reset nor made again', async () => {
  const { harness, maintenance } = await startHarness();
  const db = await harness.acquire();
  const released = db.release();
  await expect(db.reset()).rejects.toMatchObject({
    code: 'EM_TEST_SERVER',
    message: expect.stringContaining('has been released') as string,
  });
  await released;
  await expect(db.keep()).rejects.toMatchObject({ code: 'EM_TEST_SERVER' });
  expect(await ours(maintenance)).toEqual([expect.stringMatching(/^em_t_/)]);
});

test('another role has a template of its own, since it could not read what the first one owns', async () => {
  const maintenance = await createDatabase();
  const migrations = await makeDirectory(files);
  for (const role of [await maintenance.createRole('createdb'), await maintenance.createRole('createdb')]) {
    const harness = await startTestDatabases({ migrations, url: role.url });
    await using db = await harness.acquire();
    await db.pool.query(ada);
    await db.release();
    await harness.stop();
  }
  const templates = await ours(maintenance);
  expect(templates).toHaveLength(2);
  for (const template of templates) {
    await maintenance.query(`alter database ${template} is_template false`);
    await maintenance.query(`drop database ${template}`); // their owners go with this file
  }
});

test('what a failed test has left is kept by reset({ failed }), where that is wished, and the next test has a clean database under the same URL', async () => {
  const { harness, maintenance } = await startHarness({ keepFailed: true });
  await using db = await harness.acquire();
  await db.pool.query(ada);
  await db.pool.query(`begin; ${ada.replace('Ada', 'Bob')}; prepare transaction '${db.name}'`);
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  expect(await db.reset({ failed: true })).toBe('renewed');
  const { name, message } = await warned;
  expect(name).toBe('TestFailed');
  expect(message).not.toContain(new URL(maintenance.url).password);
  const [, kept = ''] = /(em_c_\w+)$/.exec(message) ?? [];
  expect(await namesIn(db)).toEqual([]);
  expect(await db.reset({ failed: false })).toBe('untouched');
  await harness.stop();
  const client = new pg.Client(maintenance.url.replace(/[^/]*$/, kept));
  await client.connect();
  expect((await client.query('select name from people')).rows).toEqual([{ name: 'Ada' }]);
  await client.end();
  expect(await ours(maintenance)).toEqual([kept, expect.stringMatching(/^em_t_/)]);
  await maintenance.query(`drop database ${kept}`);
});

test('without keepFailed nothing is kept', async () => {
  const { harness, maintenance } = await startHarness();
  await using db = await harness.acquire();
  await db.pool.query(ada);
  expect(await db.reset({ failed: true })).toBe('mended');
  expect(await ours(maintenance)).toEqual([db.name, expect.stringMatching(/^em_t_/)]);
});
