import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { status, upgrade } from '../../src/commands/index.js';
import { backfill, createTenant, ensureMigrated, type Options, type ProgressEvent } from '../../src/index.js';
import { tenantsOf } from '../../src/tenants/index.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { bootTenants, createSchemas, directoryOf, failTenants, names, ranIn, tablesOf, type Scene } from './tenants-fixture.js';

// One database; each test has tenants of its own.
let database: TestDatabase;
let scene: Scene;

beforeAll(async () => {
  database = await createDatabase();
  scene = { database, directory: await directoryOf() };
});

async function tenantsNamed(...tenants: readonly string[]): Promise<readonly string[]> {
  await createSchemas(database, tenants);
  return tenants;
}

async function expectAtHead(tenants: readonly string[], ran = names): Promise<void> {
  for (const tenant of tenants) expect([tenant, await ranIn(database, tenant)]).toEqual([tenant, ran]);
  expect(await tablesOf(database)).toEqual([]); // nothing has gone astray
}

describe('a schema for each tenant', () => {
  test('is brought to head whatever its name, and then nothing is locked, written or connected to', async () => {
    const tenants = await tenantsNamed('acme', 'Two "quoted" Words', `drop table notes; --'`, 'ünï\\x', 'select');
    const outcome = await bootTenants(scene, tenants);
    expect(outcome).toMatchObject({ status: 'migrated', from: undefined, to: '03_index.js', findings: [] });
    expect(outcome.applied).toHaveLength(15);
    expect(outcome.tenants).toMatchObject(tenants.map((name) => ({ name, status: 'migrated', applied: [{}, {}, {}] })));
    await expectAtHead(tenants);

    const reader = await database.createRole();
    for (const { name } of outcome.tenants ?? []) await grantReading(name, reader.name);
    await database.query(`alter role ${reader.name} set default_transaction_read_only = on`);
    const events: ProgressEvent[] = [];
    const again = await bootTenants(scene, tenants, { connection: reader.url, onProgress: (event) => void events.push(event) });
    expect(again).toMatchObject({ status: 'in-sync', from: '03_index.js', to: '03_index.js', applied: [] });
    expect(again.tenants?.map(({ name, status }) => [name, status])).toEqual(tenants.map((name) => [name, 'in-sync']));
    expect(events.map(({ event }) => event).filter((event) => event.startsWith('lock') || event === 'connect.started')).toEqual([
      'connect.started',
    ]);
  });

  test('only those that are behind are touched, and events say which tenant they are of', async () => {
    const tenants = await tenantsNamed('one', 'two', 'three');
    await bootTenants(scene, ['one', 'three']);
    const events: ProgressEvent[] = [];
    const outcome = await bootTenants(scene, tenants, { onProgress: (event) => void events.push(event) });
    expect(outcome).toMatchObject({ status: 'migrated', from: undefined, to: '03_index.js', applied: [{}, {}, {}] });
    expect(outcome.tenants?.map(({ status }) => status)).toEqual(['in-sync', 'migrated', 'in-sync']);
    expect(new Set(events.flatMap(({ tenant }) => tenant ?? []))).toEqual(new Set(['two']));
    expect(events.filter(({ event }) => event === 'boot.ready')).toMatchObject([{ status: 'migrated' }]);
    expect(events.find(({ event }) => event === 'boot.ready')).not.toHaveProperty('tenant');
    await expectAtHead(tenants);
  });

  test('an empty list is in sync, and a function is asked at each call', async () => {
    expect(await bootTenants(scene, [])).toMatchObject({ status: 'in-sync', tenants: [] });
    await tenantsNamed('asked');
    const schemas = async () => await Promise.resolve(['asked']);
    expect(await bootTenants(scene, [], { tenants: { schemas } })).toMatchObject({ status: 'migrated', tenants: [{ name: 'asked' }] });
  });

  test('what a migration sets does not reach the next one, nor another tenant', async () => {
    const tenants = await tenantsNamed('leak1', 'leak2');
    const directory = await makeDirectory({
      '01_notes.sql': 'create table notes (id int);',
      '02_leak.sql': `create temp table kept (id int); set timezone = 'Asia/Tokyo'; set search_path = public, pg_temp;`,
      '03_then.sql': `create table then_here as select current_setting('timezone') as zone;`,
    });
    await bootTenants({ database, directory }, tenants, { tenants: { schemas: tenants, concurrency: 1 } });
    const zones = tenants.map(async (name) => await database.query(`select zone = 'Asia/Tokyo' as leaked from ${name}.then_here`));
    expect((await Promise.all(zones)).flat()).toEqual([{ leaked: false }, { leaked: false }]);
    expect(await tablesOf(database)).toEqual([]);
  });

  test('several calls at once apply each migration once', async () => {
    const tenants = await tenantsNamed('herd1', 'herd2', 'herd3', 'herd4');
    const outcomes = await Promise.all([1, 2, 3].map(async () => await bootTenants(scene, tenants)));
    expect(outcomes.flatMap(({ applied }) => applied)).toHaveLength(12);
    await expectAtHead(tenants);
  });
});

describe('one that cannot be brought to head', () => {
  test('is named, the others are at head, and once it is mended the same call touches it alone', async () => {
    const tenants = await tenantsNamed('ok1', 'broken', 'ok2');
    await database.query('create table broken.notes ()');
    const error = await failTenants(scene, tenants, { rules: { 'history-unmanaged': 'off' } });
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', exitCode: 78 });
    expect(error.members).toMatchObject([
      { name: 'ok1', status: 'migrated' },
      { name: 'broken', status: 'failed', error: { code: 'EM_MIGRATION_FAILED' } },
      { name: 'ok2', status: 'migrated' },
    ]);
    expect(error.message).toContain('tenant broken: EM_MIGRATION_FAILED');
    await expectAtHead(['ok1', 'ok2']);
    await database.query('drop table broken.notes');
    expect((await bootTenants(scene, tenants)).tenants?.map(({ status }) => status)).toEqual(['in-sync', 'migrated', 'in-sync']);
    await expectAtHead(tenants);
  });

  test('for want of locks is told of max_locks_per_transaction', async () => {
    const tenants = await tenantsNamed('roomless');
    const directory = await makeDirectory({
      '01_all.sql': `do $$ begin raise exception 'out of shared memory' using errcode = '53200'; end $$;`,
    });
    const { members } = await failTenants({ database, directory }, tenants);
    expect(members).toMatchObject([
      { error: { code: 'EM_MIGRATION_FAILED', remedy: expect.stringContaining('max_locks_per_transaction') as string } },
    ]);
    expect(await database.query('select from roomless.knex_migrations')).toEqual([]);
  });

  test('with `stop` keeps those that are not begun as they are', async () => {
    const tenants = await tenantsNamed('stop1', 'stop2', 'stop3');
    await database.query('create table stop1.notes ()');
    const options: Options = { tenants: { schemas: tenants, concurrency: 1, onFailure: 'stop' }, rules: { 'history-unmanaged': 'off' } };
    const { members } = await failTenants(scene, tenants, options);
    expect(members.map(({ status }) => status)).toEqual(['failed', 'not-begun', 'not-begun']);
    expect(await tablesOf(database, 'stop2')).toEqual([]);
  });

  test('because its tables are none of ours fails for itself', async () => {
    const tenants = await tenantsNamed('sound', 'text_journal', 'sequence');
    await bootTenants(scene, ['sound', 'text_journal']);
    await database.query('alter table text_journal.knex_migrations_journal alter column detail type text'); // 42883
    await database.query('create sequence sequence.knex_migrations'); // 42703
    const { members } = await failTenants(scene, tenants);
    expect(members.map(({ status }) => status)).toEqual(['in-sync', 'failed', 'failed']);
    await expectAtHead(['sound']);
  });

  test('because its schema is not there is told to createTenant(), and nothing is made elsewhere', async () => {
    const tenants = [...(await tenantsNamed('here')), 'Nowhere'];
    const error = await failTenants(scene, tenants);
    expect(error.members.map(({ status }) => status)).toEqual(['migrated', 'failed']);
    expect(error.message).toContain('the schema "Nowhere", the first of searchPath, does not exist');
    expect(error.message).toContain('createTenant');
    await expectAtHead(['here']);
    expect(await database.query(`select from pg_namespace where nspname = 'Nowhere'`)).toEqual([]);
    expect((await failTenants(scene, ['Nowhere'], { mode: 'verify' })).members).toMatchObject([{ error: { code: 'EM_OUT_OF_SYNC' } }]);
  });

  test('for want of a right on it is told so, and the others are at head', async () => {
    const tenants = await tenantsNamed('mine', 'theirs');
    await bootTenants(scene, ['theirs']);
    const { name, url } = await database.createRole();
    await database.query(`grant usage, create on schema mine to ${name}`);
    const error = await failTenants(scene, tenants, { connection: url });
    expect(error.members).toMatchObject([{ status: 'migrated' }, { status: 'failed', error: { code: 'EM_CHECK_FAILED' } }]);
    await database.query(`grant usage on schema theirs to ${name}`); // it may look into the schema, not at the history
    expect((await failTenants(scene, tenants, { connection: url })).members).toMatchObject([{ status: 'in-sync' }, { status: 'failed' }]);
    await expectAtHead(tenants);
  });
});

describe('the fast path says what a boot of each would say', () => {
  test('of a file that was edited', async () => {
    const tenants = await tenantsNamed('edited1', 'edited2');
    const directory = await directoryOf();
    await bootTenants({ database, directory }, tenants);
    await writeFile(path.join(directory, '02_author.js'), 'export const up = () => undefined; export const down = up;');
    const error = await failTenants({ database, directory }, tenants);
    expect(error.members.map(({ error: each }) => each?.findings.map(({ code }) => code))).toEqual([
      ['history-edited'],
      ['history-edited'],
    ]);
    const softened = await bootTenants({ database, directory }, tenants, { rules: { 'history-edited': 'warn' } });
    expect(softened).toMatchObject({ status: 'in-sync', findings: [{ code: 'history-edited' }] });
    expect(softened.findings[0]?.message).toBe('tenants edited1, edited2: changed since they were applied: 02_author.js');
  });

  test('of a database that is ahead of an old release, compatible or not', async () => {
    const tenants = await tenantsNamed('ahead1', 'ahead2');
    await bootTenants(scene, tenants);
    const old = { database, directory: await directoryOf(2) };
    const events: string[] = [];
    const outcome = await bootTenants(old, tenants, { onProgress: ({ event }) => void events.push(event) });
    expect(outcome).toMatchObject({ status: 'ahead', to: '03_index.js', tenants: [{ status: 'ahead' }, { status: 'ahead' }] });
    expect(events).not.toContain('tenants.behind');
    await database.query(
      `update ahead2.knex_migrations_journal set detail = detail || '{"breaking": true}' where migration = '03_index.js'`,
    );
    const error = await failTenants(old, tenants);
    expect(error.members).toMatchObject([{ status: 'ahead' }, { status: 'failed', error: { findings: [{ code: 'history-ahead' }] } }]);
  });

  test('of a history that only knex has written, and of a run that has failed or died', async () => {
    const tenants = await tenantsNamed('knexed', 'died');
    await bootTenants(scene, tenants);
    await database.query('drop table knexed.knex_migrations_journal');
    expect(await bootTenants(scene, tenants, { mode: 'verify' })).toMatchObject({ status: 'in-sync' });
    await database.query(`update died.knex_migrations_journal set detail = detail || '{"state": "failed"}' where kind = 'owner'`);
    const error = await failTenants(scene, tenants, { mode: 'verify' });
    expect(error.members).toMatchObject([{ status: 'in-sync' }, { error: { findings: [{ code: 'history-unsettled' }] } }]);
    expect(await bootTenants(scene, tenants)).toMatchObject({ status: 'in-sync', applied: [] }); // settled
    expect(await bootTenants(scene, tenants, { mode: 'verify' })).toMatchObject({ status: 'in-sync' });
  });

  test('also where the server has no room for the locks of all tenants at once', async () => {
    const tenants = await tenantsNamed('room1', 'room2', 'room3', 'room4', 'room5');
    await bootTenants(scene, tenants);
    // As the server does when its table of locks is full.
    await database.query(`create function room3.room_for(most int) returns boolean language plpgsql as $$ begin
        if (select count(*) from pg_locks where pid = pg_backend_pid() and relation::regclass::text like 'room%journal') > most then
          raise exception 'out of shared memory' using errcode = '53200';
        end if;
        return true;
      end $$;
      alter table room3.knex_migrations rename to knexed;
      create view room3.knex_migrations as select * from room3.knexed where room3.room_for(2)`);
    expect(await bootTenants(scene, tenants)).toMatchObject({ status: 'in-sync', to: '03_index.js' });
    await database.query(`create or replace view room3.knex_migrations as select * from room3.knexed where room3.room_for(0)`);
    const error = await failTenants(scene, tenants);
    expect(error).toMatchObject({
      code: 'EM_SERVER_FAILED',
      retryable: true,
      remedy: expect.stringContaining('Raise max_locks_per_transaction') as string,
    });
  });

  test('of 300 tenants, of which one has lost a row', async () => {
    const [first] = await tenantsNamed('t000');
    await bootTenants(scene, [first as string]);
    const tenants = Array.from({ length: 300 }, (_, n) => `t${String(n).padStart(3, '0')}`);
    await copyTenant(tenants);
    const started: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent) => event.event === 'connect.started' && started.push(event);
    expect(await bootTenants(scene, tenants, { onProgress })).toMatchObject({ status: 'in-sync', to: '03_index.js' });
    expect(started).toHaveLength(1);
    await database.query(`delete from t234.knex_migrations where name = '03_index.js'; delete from t234.ran where name = '03_index';
       alter table t234.knex_migrations_journal alter id restart with 1000`);
    const outcome = await bootTenants(scene, tenants);
    expect(outcome.applied).toHaveLength(1);
    expect(outcome.tenants?.filter(({ status }) => status === 'migrated')).toMatchObject([{ name: 't234' }]);
    await expectAtHead(['t233', 't234']);
  });
});

describe('createTenant()', () => {
  const options = (): Options => ({ connection: database.url, migrations: scene.directory, logger: false, mode: 'verify' });

  test('makes the schema and brings it to head, also when several are at it, and again', async () => {
    const outcomes = await Promise.all([1, 2, 3].map(async () => await createTenant('New One', options())));
    expect(outcomes.flatMap(({ applied }) => applied)).toHaveLength(3);
    await expectAtHead(['New One']);
    expect(await createTenant('New One', options())).toMatchObject({ status: 'in-sync' });
    expect(await bootTenants(scene, ['New One'])).toMatchObject({ status: 'in-sync' });
  });

  test('refuses what a boot of tenants cannot have, before the schema is made', async () => {
    const { url: connection } = database;
    const streams = [{ name: 'jobs', migrations: scene.directory }];
    const failed = createTenant('with_streams', { connection, migrations: scene.directory, logger: false, streams });
    await expect(failed).rejects.toMatchObject({
      code: 'EM_CONFIG_INVALID',
      message: expect.stringContaining('streams: expected nothing together with tenants') as string,
    });
    expect(await database.query(`select from pg_namespace where nspname = 'with_streams'`)).toEqual([]);
  });

  test('refuses what is no name of a schema, and a role that may not create one', async () => {
    for (const name of ['', 'pg_x', '$user', 'x'.repeat(64), 'ü'.repeat(32), 'information_schema'])
      await expect(createTenant(name, options())).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    const { url } = await database.createRole();
    await expect(createTenant('forbidden', { ...options(), connection: url })).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    expect(await database.query(`select from pg_namespace where nspname in ('forbidden', 'pg_x', '$user')`)).toEqual([]);
  });
});

test('what is about one history is refused the options of all tenants, and nothing goes to the schema that they share', async () => {
  const options = { connection: database.url, migrations: scene.directory, logger: false, tenants: { schemas: ['acme'] } } as const;
  const refused = { code: 'EM_CONFIG_INVALID', message: expect.stringContaining('the options name tenants') as string };
  await expect(upgrade(options)).rejects.toMatchObject(refused);
  await expect(status(options)).rejects.toMatchObject(refused);
  await expect(backfill.list(options)).rejects.toMatchObject(refused);
  expect(await tablesOf(database)).toEqual([]);
});

test('tenantsOf() gives the options for each of them', async () => {
  const schemas = await tenantsNamed('plain1', 'plain2');
  const places = await tenantsOf({ connection: database.url, migrations: scene.directory, logger: false, tenants: { schemas } });
  expect(places.map(({ name }) => name)).toEqual(schemas);
  for (const { options } of places) await ensureMigrated(options);
  expect(await bootTenants(scene, schemas)).toMatchObject({ status: 'in-sync' });
  await rm(await directoryOf(1), { recursive: true });
});

async function grantReading(schema: string, role: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await database.query(`grant usage on schema ${at} to ${role}; grant select on all tables in schema ${at} to ${role}`);
}

// The first of them, table by table.
async function copyTenant([first, ...others]: readonly string[]): Promise<void> {
  await database.query(`do $$ declare s text; t text; begin
    foreach s in array array[${others.map((name) => `'${name}'`).join(', ')}] loop
      execute format('create schema %I', s);
      foreach t in array array['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal', 'notes', 'ran'] loop
        continue when t in ('notes', 'ran') and s not in ('t233', 't234');
        execute format('create table %I.%I (like ${first}.%I including all)', s, t, t);
        execute format('insert into %I.%I overriding system value select * from ${first}.%I', s, t, t);
      end loop;
      commit;
    end loop; end $$`);
}

test('a function that lists the tenants and never answers ends with the patience of the call', async () => {
  const tenants = { schemas: () => new Promise<string[]>(() => undefined) };
  const error = await failTenants(scene, [], { tenants, timeouts: { callMs: 200 } });
  expect(error).toMatchObject({ code: 'EM_CALL_TIMEOUT', retryable: true });
});

test('a function that lists the tenants and fails while the call is stopped is not left unheard', async () => {
  const tenants = { schemas: async () => await Promise.reject(new Error('no list today')) };
  expect(await failTenants(scene, [], { tenants, signal: AbortSignal.abort() })).toMatchObject({ code: 'EM_ABORTED' });
});
