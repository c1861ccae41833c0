import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { current, history, status, upgrade } from '../../src/commands/index.js';
import { ensureMigrated } from '../../src/index.js';
import { startBoot, waitUntilRuns } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { runKnex } from '../support/knex-cli.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase } from '../support/servers.js';
import { makeProject, names } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

const application = { name: 'shop', version: '1.2.3' };

describe('current', () => {
  test('tells the revision, and that it is the head', async () => {
    const { database, options } = await makeProject();
    const head = names[3];
    expect(await current(options)).toEqual({ database: database.name, revision: undefined, head, isHead: false, pendingCount: 4 });
    expectPrinted('current', await current(options));
    await upgrade(options, { target: { steps: 3 } });
    expect(await current(options)).toMatchObject({ revision: names[2], isHead: false, pendingCount: 1 });
    await upgrade(options);
    expect(await current(options)).toMatchObject({ revision: head, isHead: true, pendingCount: 0 });
  });

  test('makes no table and costs one round trip', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    const proxy = await startProxy(database.url);
    await current({ ...options, connection: proxy.urlOf(database.url) });
    expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 1 });
    const empty = await createDatabase();
    await current({ ...options, connection: empty.url });
    expect(await empty.query(`select relname from pg_class where relname like 'knex%'`)).toEqual([]);
  });

  test('with wait returns when somebody else has brought the database to head', async () => {
    const { database, directory, options } = await makeProject();
    const waiting = current(options, { wait: true });
    startBoot({ connection: database.url, directory });
    expect(await waiting).toMatchObject({ revision: names[3], isHead: true });
  });

  test('with wait gives up when nobody does', async () => {
    const { options } = await makeProject();
    await expect(current({ ...options, timeouts: { lockMs: 300 } }, { wait: true })).rejects.toMatchObject({ code: 'EM_WAIT_TIMEOUT' });
  });
});

describe('history', () => {
  test('tells who applied what, when, how and how long it took, and what is pending', async () => {
    const { options } = await makeProject();
    await upgrade({ ...options, application, environment: 'production' }, { target: { steps: 2 } });
    const entries = await history(options);
    expectPrinted('history', entries);
    expect(entries.map(({ name, status: each }) => [name, each])).toEqual(
      names.map((name, index) => [name, index < 2 ? 'applied' : 'pending']),
    );
    expect(entries[1]).toMatchObject({
      batch: 1,
      how: 'run',
      application: 'shop',
      version: '1.2.3',
      environment: 'production',
      checksum: 'same',
    });
    expect(entries[1]).toMatchObject({
      at: expect.any(Date) as Date,
      durationMs: expect.any(Number) as number,
      host: expect.any(String) as string,
    });
    expect(entries.map(({ compatible }) => compatible)).toEqual([true, true, undefined, undefined]);
  });

  test('knows an edited file, a file that is gone, what knex applied and what was stamped', async () => {
    const { database, directory, options } = await makeProject({
      '04_notes.up.sql': undefined,
      '04_notes.down.sql': undefined,
      '03_index.js': undefined,
    });
    await runKnex('migrate:latest', { url: database.url, directory });
    expect((await history(options)).map(({ how, checksum }) => [how, checksum])).toEqual([
      ['knex', 'unknown'],
      ['knex', 'unknown'],
    ]);
    const file = path.join(directory, '03_more.js');
    await writeFile(file, 'export const up = async () => undefined; export const down = up;');
    await upgrade(options);
    await writeFile(file, 'export const up = async () => 1; export const down = up;');
    await rm(path.join(directory, '01_orders.js'));
    expect((await history(options)).map(({ name, status: each, how, checksum, inCode }) => [name, each, how, checksum, inCode])).toEqual([
      ['01_orders.js', 'missing', 'knex', 'unknown', false],
      ['02_total.js', 'applied', 'knex', 'same', true],
      ['03_more.js', 'applied', 'run', 'edited', true],
    ]);
    const existing = await createDatabase();
    await existing.query('create table orders (id int)');
    await ensureMigrated({ connection: existing.url, migrations: directory, logger: false, baseline: '03_more' });
    expect(await history({ ...options, connection: existing.url })).toMatchObject([
      { how: 'stamped', batch: undefined },
      { how: 'stamped' },
    ]);
  });

  test('gives a range, and refuses one that names nothing', async () => {
    const { options } = await makeProject();
    const between = async (from?: string, to?: string) => (await history(options, { from, to })).map(({ name }) => name);
    expect(await between('total', '03')).toEqual([names[1], names[2]]);
    expect(await between('03_index.js')).toEqual([names[2], names[3]]);
    expect(await between(undefined, '01')).toEqual([names[0]]);
    expect(await between('base', 'head')).toEqual(names);
    expect(await between('head', 'head')).toEqual([names[3]]);
    await expect(between('nonsense')).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
  });

  test('makes no table in an empty database', async () => {
    const { database, options } = await makeProject();
    expect(await history(options)).toHaveLength(4);
    expect(await database.query(`select relname from pg_class where relname like 'knex%'`)).toEqual([]);
  });
});

describe('status', () => {
  test('in sync says so, in both its forms', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    expect(await status(options)).toEqual({
      database: database.name,
      inSync: true,
      revision: names[3],
      head: names[3],
      ...{
        pending: [],
        ahead: [],
        breaking: [],
        missing: [],
        halfSquashed: [],
        edited: [],
        outOfOrder: [],
        unfinished: [],
        duplicates: [],
        unmanaged: [],
      },
      drifted: false,
      backfills: [],
      findings: [],
      lock: undefined,
    });
  });

  test('names the command that mends each finding', async () => {
    const { database, directory, options } = await makeProject();
    await upgrade(options, { target: { steps: 3 } });
    await rm(path.join(directory, '01_orders.js'));
    await writeFile(path.join(directory, '02_total.js'), 'export const up = async () => undefined; export const down = up;');
    await database.query(`insert into knex_migrations (name, batch) values ('99_newer.js', 2), ('02_total.js', 2)`);
    const { inSync, findings, ...answers } = await status(options);
    expect(inSync).toBe(false);
    expect(answers).toMatchObject({
      pending: [names[3]],
      missing: [names[0]],
      edited: [names[1]],
      ahead: ['99_newer.js'],
      breaking: ['99_newer.js'],
      duplicates: [names[1]],
    });
    expect(Object.fromEntries(findings.map(({ code, command }) => [code, command]))).toEqual({
      'history-pending': 'ensure-migrated upgrade',
      'history-ahead': 'ensure-migrated repair compatible 99_newer.js',
      'history-missing': 'ensure-migrated repair forget 01_orders.js',
      'history-edited': 'ensure-migrated repair accept 02_total.js',
      'history-out-of-order': 'ensure-migrated upgrade',
      'history-duplicate': 'ensure-migrated repair deduplicate 02_total.js',
    });
  });

  test('sees drift, and a database that nobody manages', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('alter table orders add column sneaked int');
    expect(await status(options)).toMatchObject({ inSync: true, drifted: true, findings: [{ code: 'schema-drift', level: 'warn' }] });
    const other = await createDatabase();
    await other.query('create table theirs (id int)');
    expect(await status({ ...options, connection: other.url })).toMatchObject({
      inSync: false,
      unmanaged: ['theirs'],
      pending: { length: 4 },
    });
    expect(await other.query(`select relname from pg_class where relname like 'knex%'`)).toEqual([]);
  });

  test("tells that knex's lock row is set, by whom it is not ours, and what clears it; not to a role that may not look", async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('update knex_migrations_lock set is_locked = 1');
    expect(await status(options)).toMatchObject({
      inSync: true,
      findings: [{ code: 'knex-locked', level: 'warn', command: 'ensure-migrated repair lock' }],
    });
    const reader = await database.createRole();
    await database.query(`grant select on knex_migrations, knex_migrations_journal to "${reader.name}"`);
    expect(await status({ ...options, connection: reader.url })).toMatchObject({ inSync: true, findings: [] });
  });

  test('tells who holds the migration lock', async () => {
    const slow = `export const up = async (knex) => await knex.raw('select pg_sleep(300)'); export const down = async () => undefined;`;
    const { database, directory, options } = await makeProject({ '05_slow.js': slow });
    const booting = startBoot({ connection: database.url, directory, application });
    const { pid } = await waitUntilRuns(database, 'pg_sleep');
    expect(await status(options)).toMatchObject({ inSync: false, lock: { pid, application: 'ensure-migrated/shop' } });
    await booting.kill();
  });
});

test('with a thousand applied migrations they cost a few round trips, and load none of them', async () => {
  const files = Array.from({ length: 1000 }, (_, index) => [`m${String(index).padStart(4, '0')}.js`, `throw new Error('loaded');`]);
  const directory = await makeDirectory(Object.fromEntries(files) as Record<string, string>);
  const database = await createDatabase();
  const options = { connection: database.url, migrations: directory, logger: false } as const;
  const scripts = Object.fromEntries(files.map(([name = '']) => [name.replace('.js', '.sql'), 'select 1;']));
  await upgrade({ ...options, migrations: await makeDirectory(scripts), transaction: 'all' });
  await database.query(`update knex_migrations set name = replace(name, '.sql', '.js')`);
  await database.query(`update knex_migrations_journal set migration = replace(migration, '.sql', '.js') where kind = 'attempt'`);
  const proxy = await startProxy(database.url);
  const proxied = { ...options, connection: proxy.urlOf(database.url) };
  expect(await history(proxied)).toHaveLength(1000);
  expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 4 });
  proxy.reset();
  expect(await status(proxied)).toMatchObject({ inSync: true });
  expect(proxy.counts().connections).toBe(1);
  expect(proxy.counts().roundTrips).toBeLessThanOrEqual(5);
}, 120_000);
