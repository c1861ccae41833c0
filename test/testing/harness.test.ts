import { expect, test } from 'vitest';
import { openDesk } from '../../src/testing/desk.js';
import { startTestDatabases } from '../../src/testing/index.js';
import { newRun } from '../../src/testing/names.js';
import { startCode } from '../support/process.js';
import { makeDirectory } from '../support/directories.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase } from '../support/servers.js';
import { files, ours, startHarness } from './fixture.js';

test('a database is at head, with the seed in it, and is gone when it is released', async () => {
  const { harness, maintenance } = await startHarness({ seed: async (knex) => await knex('people').insert({ name: 'Ada' }) });
  const db = await harness.acquire();
  expect((await db.pool.query('select name, initial from people')).rows).toEqual([{ name: 'Ada', initial: 'A' }]);
  expect(await db.knex('countries').select('code').orderBy('code')).toEqual([{ code: 'de' }, { code: 'it' }, { code: 'jp' }]);
  expect(await ours(maintenance)).toContain(db.name);
  await db.release();
  expect(await ours(maintenance)).not.toContain(db.name);
  await harness.stop();
  const left = await ours(maintenance);
  expect(left).toEqual([expect.stringMatching(/^em_t_/)]);
  // Sealed: a session in it would hold up each copy for seconds, and a DROP by mistake is refused.
  const sealed = await maintenance.query('select datallowconn, datistemplate from pg_database where datname = any ($1)', [left]);
  expect(sealed).toEqual([{ datallowconn: false, datistemplate: true }]);
});

test('copies are copies of files where nothing waits for a disk', async () => {
  const { url } = await createDatabase();
  const desk = await openDesk({ url, run: newRun(), as: 'guest' });
  expect(desk.facts.strategy).toBe(desk.facts.serverVersion >= 150_000 ? 'file_copy' : null); // the servers of the tests have fsync off
  await desk.link.close();
});

test('two databases never see each other', async () => {
  const { harness } = await startHarness();
  const [one, other] = await Promise.all([harness.acquire(), harness.acquire()]);
  await one.pool.query(`insert into people (name) values ('Ada')`);
  expect((await other.pool.query('select from people')).rowCount).toBe(0);
});

test('the template is built once for the same migrations and seed, also by runs that start at once, and anew for others', async () => {
  const maintenance = await createDatabase();
  const directory = await makeDirectory(files);
  const built: string[] = [];
  const start = async (options = {}) =>
    await startTestDatabases({ migrations: directory, url: maintenance.url, ...options, onPhase: (phase) => void built.push(phase) });
  const count = () => built.filter((phase) => phase === 'template.ready').length;
  const runs = await Promise.all([start(), start(), start()]);
  expect(count()).toBe(1);
  runs.push(await start());
  expect(count()).toBe(1);
  runs.push(await start({ seed: async () => undefined }), await start({ key: 'other' }));
  expect(count()).toBe(3);
  for (const run of runs) await run.stop();
});

test('of the templates that nobody uses the three used last are kept', async () => {
  const maintenance = await createDatabase();
  const directory = await makeDirectory(files);
  const start = async (key: string) => await startTestDatabases({ migrations: directory, url: maintenance.url, key });
  const first = await start('1');
  for (const key of ['2', '3', '4']) await (await start(key)).stop();
  expect(await ours(maintenance)).toHaveLength(4); // the first is in use
  const db = await first.acquire();
  await first.stop();
  expect(await ours(maintenance)).not.toContain(db.name);
  await (await start('5')).stop();
  expect(await ours(maintenance)).toHaveLength(3);
});

test('a URL whose database is not there leads to the server all the same, and the PG* variables do as well', async () => {
  const { url } = await createDatabase();
  const migrations = await makeDirectory(files);
  const code = (options: object) => `
    import { startTestDatabases } from './dist/testing/index.js';
    const harness = await startTestDatabases(${JSON.stringify({ migrations, ...options })});
    const db = await harness.acquire();
    console.log((await db.knex('countries').count())[0].count);
    await harness.stop();`;
  const { hostname, port, username, password } = new URL(url);
  const env = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password, PGDATABASE: 'postgres' };
  expect(await startCode(code({}), { env }).ended).toMatchObject({ code: 0, stdout: '3\n', stderr: '' });
  expect(await startCode(code({ url: url.replace(/[^/]*$/, 'not_there') })).ended).toMatchObject({ code: 0, stdout: '3\n', stderr: '' });
});

test('an embedded server can be asked for by its version, whatever the environment says, and can listen on a port', async () => {
  const code = `
    import { startTestDatabases } from './dist/testing/index.js';
    const harness = await startTestDatabases(${JSON.stringify({ migrations: await makeDirectory(files), postgres: 15, listen: 'tcp' })});
    const db = await harness.acquire();
    console.log((await db.pool.query('show server_version')).rows[0].server_version.split('.')[0], new URL(db.url).hostname);
    await harness.stop();`;
  const ended = await startCode(code, { env: { DATABASE_URL: 'postgres://nowhere.invalid/x' } }).ended;
  expect(ended).toMatchObject({ code: 0, stdout: '15 127.0.0.1\n', stderr: '' });
});

test('a role that may not make databases is told what it lacks', async () => {
  const maintenance = await createDatabase();
  const role = await maintenance.createRole();
  const refused = startTestDatabases({ migrations: await makeDirectory(files), url: role.url });
  await expect(refused).rejects.toMatchObject({ code: 'EM_TEST_SERVER' });
  await expect(refused).rejects.toThrow(`alter role "${role.name}" createdb`);
  expect(await ours(maintenance)).toEqual([]);
});

describeWithPgBouncer('behind PgBouncer', () => {
  test.each(['transaction', 'session'] as const)(
    'with pool mode %s the start is refused, and changes nothing in the pooled session',
    async (poolMode) => {
      const maintenance = await createDatabase();
      const pgbouncer = await startPgBouncer(maintenance.url, { poolMode, settings: { default_pool_size: 1 } });
      const url = pgbouncer.urlOf(maintenance.url);
      const refused = startTestDatabases({ migrations: await makeDirectory(files), url });
      await expect(refused).rejects.toMatchObject({
        code: 'EM_TEST_SERVER',
        remedy: expect.stringContaining('the server itself') as string,
      });
      await expect(refused).rejects.toThrow('connection pooler');
      const client = await maintenance.connect(url);
      expect((await client.query('show search_path')).rows).toEqual([{ search_path: '"$user", public' }]);
      expect(await ours(maintenance)).toEqual([]);
    },
  );
});

test('a role that may make databases and no more can use all of it; each reset makes the database anew', async () => {
  const maintenance = await createDatabase();
  const role = await maintenance.createRole('createdb');
  const harness = await startTestDatabases({ migrations: await makeDirectory(files), url: role.url });
  const db = await harness.acquire();
  await db.pool.query(`insert into people (name) values ('Ada')`);
  expect(await db.reset()).toBe('renewed');
  expect((await db.pool.query('select from people')).rowCount).toBe(0);
  await harness.stop();
  const [template = ''] = await ours(maintenance);
  await maintenance.query(`alter database ${template} is_template false`);
  await maintenance.query(`drop database ${template}`); // its owner goes with this file
});

test('a migration that fails leaves no template, and the next start builds it', async () => {
  const maintenance = await createDatabase();
  const directory = await makeDirectory({ ...files, '03_wrong.sql': 'select 1/0;' });
  await expect(startTestDatabases({ migrations: directory, url: maintenance.url })).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
  expect(await ours(maintenance)).toEqual([]);
});

test('settings and rights of the database itself come along', async () => {
  const directory = await makeDirectory({
    ...files,
    '03_database.js': `export const up = async (knex) => {
        const { rows: [{ name }] } = await knex.raw('select quote_ident(current_database()) as name');
        await knex.raw('alter database ' + name + ' set search_path to "$user", public, extra');
        await knex.raw('alter database ' + name + " set app.tenant to 'it''s'");
        await knex.raw('revoke temporary on database ' + name + ' from public');
      };
      export const down = async () => undefined;`,
  });
  const { harness } = await startHarness({ migrations: directory });
  const db = await harness.acquire();
  const { rows } = await db.pool.query(
    `select current_setting('search_path') as path, current_setting('app.tenant') as tenant, datacl::text as acl from pg_database
     where datname = current_database()`,
  );
  expect(rows).toEqual([{ path: '"$user", public, extra', tenant: "it's", acl: '{postgres=CTc/postgres,=c/postgres}' }]);
});

test('empty() has nothing in it, at() what stands at a revision, and both can be reset', async () => {
  const { harness } = await startHarness();
  const [empty, at] = [await harness.empty(), await harness.at('01_people')];
  const there = `select to_regclass('people')::text as people, to_regclass('countries')::text as countries`;
  expect((await empty.pool.query(there)).rows).toEqual([{ people: null, countries: null }]);
  expect((await at.pool.query(there)).rows).toEqual([{ people: 'people', countries: null }]);
  await empty.pool.query('create table people ()');
  await at.pool.query(`insert into people (name) values ('Ada')`);
  expect([await empty.reset(), await at.reset()]).toEqual(['renewed', 'mended']);
  expect((await empty.pool.query(there)).rows).toEqual([{ people: null, countries: null }]);
  expect((await at.pool.query('select from people')).rowCount).toBe(0);
});
