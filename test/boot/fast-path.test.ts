import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import knex from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureMigrated, type Options, type Outcome } from '../../src/index.js';
import { lockKey } from '../../src/lock.js';
import { poll, sessionsOf, waitUntilRuns } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { loadedBy } from '../support/loaded.js';
import { makeMigrations, tables } from '../support/migrations.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import { createDatabase, startServer, type TestDatabase } from '../support/servers.js';

// One Query message, and the goodbye.
const oneRoundTrip = { connections: 1, cancelRequests: 0, roundTrips: 1, answers: 1, messages: ['Q', 'X'] };
const twoRoundTrips = { ...oneRoundTrip, roundTrips: 2, answers: 2, messages: ['Q', 'Q', 'X'] };

interface Place {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly proxy: Proxy;
  boot(options?: Options): Promise<Outcome>;
  /** Boots through the proxy, which has counted nothing but that afterwards. */
  bootCounted(options?: Options): Promise<Outcome>;
}

async function placeOf(directory: string): Promise<Place> {
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  const boot = async (options: Options = {}): Promise<Outcome> =>
    await ensureMigrated({ connection: database.url, migrations: directory, logger: false, ...options });
  return {
    database,
    directory,
    proxy,
    boot,
    bootCounted: async (options) => {
      proxy.reset();
      return await boot({ connection: proxy.urlOf(database.url), ...options });
    },
  };
}

const scripts = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${String(index).padStart(5, '0')}.sql`, `select ${index};\n`]));

const historyTables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'];

describe.each([10, 1000])('in sync, with %i applied migrations', (count) => {
  let place: Place;
  let reader: { readonly name: string; readonly url: string };
  beforeAll(async () => {
    place = await placeOf(await makeDirectory(scripts(count)));
    reader = await place.database.createRole();
    await place.database.query(`alter default privileges grant select on tables to ${reader.name}`);
    await expect(place.boot({ transaction: 'all' })).resolves.toMatchObject({ status: 'migrated' });
  });

  test.each(['apply', 'wait', 'verify'] as const)('mode %s opens one connection and makes one round trip', async (mode) => {
    const before = await place.database.query('select count(*)::int as rows, max(at) as at from knex_migrations_journal');
    await expect(place.bootCounted({ mode })).resolves.toMatchObject({ status: 'in-sync', applied: [], findings: [] });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
    expect(await place.database.query('select count(*)::int as rows, max(at) as at from knex_migrations_journal')).toEqual(before);
  });

  test('it writes nothing: a role that may only read, in read-only transactions, is enough', async () => {
    await place.database.query(`alter role ${reader.name} set default_transaction_read_only = on`);
    await expect(place.bootCounted({ connection: place.proxy.urlOf(reader.url) })).resolves.toMatchObject({
      status: 'in-sync',
      findings: [],
    });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
  });

  test('neither the migration lock nor locked tables of another session hold it up', async () => {
    const other = await place.database.connect();
    const { namespace, key } = await keyOf(place.database);
    await other.query('select pg_advisory_lock($1, $2)', [namespace, key]);
    await other.query('begin');
    await other.query(`lock table ${historyTables.join()} in exclusive mode`);
    await expect(place.bootCounted({ timeouts: { callMs: 5_000 } })).resolves.toMatchObject({ status: 'in-sync' });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
    await other.end();
  });

  test('it makes two while somebody has a temporary table, and reads no schema', async () => {
    const other = await place.database.connect();
    await other.query('create temporary table passing (id serial primary key, name text)');
    await expect(place.bootCounted()).resolves.toMatchObject({ status: 'in-sync', findings: [] });
    expect(place.proxy.counts()).toMatchObject(twoRoundTrips);
    const { own } = await loadedBy(booting(place.database.url, place.directory));
    expect(own).not.toContain('drift.js');
    await other.query('drop table passing');
    await place.bootCounted();
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
    await other.end();
  });

  test('it loads pg, and nothing of knex, pino, the parser or the locked path', async () => {
    const inSync = await loadedBy(booting(place.database.url, place.directory));
    expect(inSync.packages).toEqual(['pg']);
    expect(inSync.own).toContain('ensure.js');
    expect(inSync.own).not.toContain('migrate.js');
  });
});

test('the list of loaded modules does show what a boot that migrates needs', async () => {
  const database = await createDatabase();
  const directory = await makeMigrations(tables(1));
  await writeFile(path.join(directory, 'm00001.sql'), '-- transaction: false\nselect 1;\n');
  const { packages, own } = await loadedBy(booting(database.url, directory));
  expect(packages).toEqual(expect.arrayContaining(['pg', 'knex', 'pino', 'libpg-query']));
  expect(own).toEqual(expect.arrayContaining(['migrate.js', 'upgrade.js', 'apply/index.js', 'checks/index.js', 'verify.js']));
});

test('who only waits for the lock, and then finds the database in sync, loads nothing of the work under it', async () => {
  const database = await createDatabase();
  await database.query('create table gate ()');
  const gate = await database.connect();
  await gate.query('begin; lock table gate');
  const directory = await makeMigrations({ m00000: 'insert into gate default values' });
  const options = { connection: database.url, migrations: directory, logger: false, rules: { 'history-unmanaged': 'off' } } as const;
  const holder = ensureMigrated(options);
  await waitUntilRuns(database, 'insert into gate');
  const waiter = loadedBy(`const { status } = await ensureMigrated(${JSON.stringify(options)}); console.log(status);`);
  await poll(async () => (await sessionsOf(database)).length === 2 || undefined);
  await poll(async () => (await sessionsOf(database)).find(({ state, query }) => state === 'idle' && query.includes('pg_locks')));
  await gate.query('rollback');
  await expect(holder).resolves.toMatchObject({ status: 'migrated' });
  const { packages, own, stdout } = await waiter;
  expect(stdout).toBe('in-sync\n');
  expect(packages).toEqual(['pg']);
  expect(own).toEqual(expect.arrayContaining(['migrate.js', 'under-lock.js', 'lock.js']));
  expect(own.filter((name) => /^(upgrade|verify|watch|plan|drift|adopt)\.js$|^(apply|checks|schema)\//.test(name))).toEqual([]);
});

describe('a history that knex has written', () => {
  let place: Place;
  beforeAll(async () => {
    place = await placeOf(await makeMigrations(tables(10)));
    const theirs = knex({ client: 'pg', connection: place.database.url });
    await theirs.migrate.latest({ directory: place.directory });
    await theirs.destroy();
  });

  test('is in sync in one round trip, and stays as it was: no journal is made', async () => {
    await expect(place.bootCounted()).resolves.toMatchObject({ status: 'in-sync', from: 'm00009.js', findings: [] });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
    expect(await place.database.query(`select to_regclass('knex_migrations_journal') as journal`)).toEqual([{ journal: null }]);
  });

  test('is in sync in one round trip after a migration of ours has adopted it', async () => {
    await writeFile(path.join(place.directory, 'm99999.sql'), 'select 1;\n');
    await expect(place.boot()).resolves.toMatchObject({ status: 'migrated', applied: [{ name: 'm99999.sql' }] });
    await expect(place.bootCounted()).resolves.toMatchObject({ status: 'in-sync', findings: [] });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
  });

  test('is in sync in one round trip for a role that may not read the journal', async () => {
    const role = await place.database.createRole();
    await place.database.query(`grant select on knex_migrations to ${role.name}`);
    await expect(place.bootCounted({ connection: place.proxy.urlOf(role.url) })).resolves.toMatchObject({ status: 'in-sync' });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
  });
});

describe('a file that was edited after it was applied', () => {
  const edited = { code: 'history-edited', at: { migration: 'm00003.sql' } };
  let place: Place;
  beforeAll(async () => {
    place = await placeOf(await makeDirectory(scripts(10)));
    await place.boot();
  });

  test('is not edited when only its line ends and its byte order mark changed', async () => {
    const file = path.join(place.directory, 'm00001.sql');
    await writeFile(file, `\ufeff${(await readFile(file, 'utf8')).replaceAll('\n', '\r\n')}`);
    await expect(place.bootCounted()).resolves.toMatchObject({ status: 'in-sync', findings: [] });
    expect(place.proxy.counts()).toMatchObject(oneRoundTrip);
  });

  test('costs one round trip more, in which the journal says which file it is', async () => {
    await appendFile(path.join(place.directory, 'm00003.sql'), '-- edited\n');
    await expect(place.bootCounted({ mode: 'verify' })).rejects.toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ ...edited, level: 'error' }],
    });
    expect(place.proxy.counts()).toMatchObject(twoRoundTrips);
    const outcome = await place.bootCounted({ rules: { 'history-edited': 'warn' } });
    expect(outcome).toMatchObject({ status: 'in-sync', findings: [{ ...edited, level: 'warn' }] });
    expect(place.proxy.counts()).toMatchObject(twoRoundTrips);
  });

  test('is refused by mode apply too, which leaves the lock free and the journal as it was', async () => {
    const before = await place.database.query('select * from knex_migrations_journal order by id');
    await expect(place.boot()).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [edited] });
    expect(await place.database.query('select * from knex_migrations_journal order by id')).toEqual(before);
    expect(await place.database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    expect(await place.database.query(`select from pg_locks where locktype = 'advisory' and database = ${ownOid}`)).toEqual([]);
  });
});

test('on a standby a database in sync is in sync, in every mode', async () => {
  const server = await startServer();
  const database = await server.createDatabase();
  const migrations = await makeDirectory(scripts(3));
  await ensureMigrated({ connection: database.url, migrations, logger: false });
  await server.stop();
  await writeFile(path.join(server.socketDirectory, 'data/standby.signal'), '');
  await server.start();
  expect(await database.query('select pg_is_in_recovery() as standby')).toEqual([{ standby: true }]);
  for (const mode of ['apply', 'wait', 'verify'] as const) {
    await expect(ensureMigrated({ connection: database.url, migrations, logger: false, mode })).resolves.toMatchObject({
      status: 'in-sync',
    });
  }
});

const ownOid = '(select oid from pg_database where datname = current_database())';

async function keyOf(database: TestDatabase) {
  const names = { history: historyTables[0]!, lock: historyTables[1]!, journal: historyTables[2]! };
  const [{ schema }] = (await database.query('select current_schema() as schema')) as [{ schema: string }];
  return lockKey({ schema } as Parameters<typeof lockKey>[0], { schema, names } as Parameters<typeof lockKey>[1]);
}

/** A boot with the default logger. */
function booting(connection: string, migrations: string): string {
  return `await ensureMigrated(${JSON.stringify({ connection, migrations })})`;
}
