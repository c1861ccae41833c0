import knexOf, { type Knex } from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureMigrated, type CheckContext, type Options, type ProgressEvent } from '../../src/index.js';
import { fleetKey, tenantsOf } from '../../src/tenants/index.js';
import { poll, startBoot, waitUntilBlocked } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { runKnex } from '../support/knex-cli.js';
import { makeMigrations } from '../support/migrations.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { bootTenants, createSchemas, directoryOf, failTenants, names, ranIn, tablesOf, type Scene } from './tenants-fixture.js';

// One database; each test has tenants of its own.
let database: TestDatabase;
let scene: Scene;

beforeAll(async () => {
  database = await createDatabase();
  scene = { database, directory: await directoryOf() };
});

async function tenantsNamed(prefix: string, count: number): Promise<readonly string[]> {
  const tenants = Array.from({ length: count }, (_, n) => `${prefix}${n}`);
  await createSchemas(database, tenants);
  return tenants;
}

async function expectAtHead(tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) expect([tenant, await ranIn(database, tenant)]).toEqual([tenant, names]);
  expect(await tablesOf(database)).toEqual([]);
  const flags = tenants.map((name) => `select is_locked from ${name}.knex_migrations_lock`);
  expect((await database.query(flags.join(' union all '))).map(({ is_locked }) => is_locked as number)).toEqual(tenants.map(() => 0));
}

test('kill -9 in the middle, twice, and run again: each migration has run once in each of twelve tenants', async () => {
  const tenants = await tenantsNamed('killed', 12);
  const options = { connection: database.url, directory: scene.directory, tenants: { schemas: tenants, concurrency: 3 } };
  for (const killAt of [{ event: 'step.applied', migration: '02_author.js' }, { event: 'tenant.ready' }]) {
    expect(await startBoot({ ...options, killAt }).ended).toMatchObject({ signal: 'SIGKILL' });
  }
  const outcome = await bootTenants(scene, tenants);
  expect(outcome.applied.length).toBeGreaterThan(12);
  expect(outcome.applied.length).toBeLessThan(36);
  await expectAtHead(tenants);
  expect(await bootTenants(scene, tenants)).toMatchObject({ status: 'in-sync' });
});

test('SIGTERM begins no more, rolls back what is at work, and ends the process by the signal', async () => {
  const tenants = await tenantsNamed('stopped', 4);
  const directory = await makeDirectory({ '01_slow.sql': 'create table slow (id int);\nselect pg_sleep(100);\n' });
  const script = startBoot({ connection: database.url, directory, tenants: { schemas: tenants, concurrency: 2 } });
  await poll(async () =>
    (
      await database.query(
        `select from pg_stat_activity where datname = current_database() and query like '%pg_sleep(100)%' and pid <> pg_backend_pid()`,
      )
    ).length === 2
      ? true
      : undefined,
  );
  script.signal('SIGTERM');
  expect(await script.ended).toMatchObject({ signal: 'SIGTERM' });
  expect(await script.waitForEvent('boot.failed')).toMatchObject({ code: 'EM_ABORTED' });
  for (const tenant of tenants) expect(await tablesOf(database, tenant)).not.toContain('slow');
  expect(script.events().filter(({ event }) => event === 'step.started')).toHaveLength(2);
});

test('one whose schema is dropped before its turn, or in the middle of its run, fails for itself, and nothing is made elsewhere', async () => {
  const tenants = await tenantsNamed('dropped', 5);
  const [, early = '', midway = '', late = ''] = tenants;
  const at = async (query: (sql: string) => Promise<readonly unknown[]>) =>
    ((await query('select current_schema() as schema'))[0] as { schema: string }).schema;
  let dropping: Promise<unknown> | undefined;
  const drop = async (name: string) => await database.query(`drop schema ${name} cascade`);
  const made = (name: string, then?: (knex: Knex) => Promise<unknown>) => ({
    up: async (knex: Knex) => {
      await knex.raw(`create table ${name} (id int)`);
      await then?.(knex);
    },
    down: () => undefined,
  });
  const dropMidway = async (knex: Knex) => {
    const schema = await at(async (sql) => (await knex.raw<{ rows: unknown[] }>(sql)).rows);
    if (schema !== midway || dropping) return;
    dropping = drop(midway); // waits for this migration
    await waitUntilBlocked(database);
  };
  const modules = {
    '01_notes': made('notes'),
    '02_then': { ...made('then_here', dropMidway), config: { capture: false } },
    '03_last': made('last'),
  };
  const run = async ({ query }: CheckContext) => {
    const schema = await at(query);
    if (schema === 'dropped0') await drop(early);
    if (schema === late) await drop(late); // after all checks, before the first change
    return [];
  };
  const options = { migrations: { modules }, tenants: { schemas: tenants, concurrency: 1 } } as never as Options;
  const error = await failTenants(scene, tenants, { ...options, checks: [{ name: 'drop', run }] });
  expect(error.members.map(({ status, error: why }) => why?.code ?? status)).toEqual([
    'migrated',
    'EM_CHECK_FAILED',
    'EM_LOCK_LOST',
    'EM_LOCK_LOST',
    'migrated',
  ]);
  expect(error.message).toContain('"dropped2"."knex_migrations" and those beside it, were dropped, or their schema was, while');
  await dropping;
  expect(await tablesOf(database)).toEqual([]);
  await createSchemas(database, [early, midway, late, 'meanwhile']);
  const again = await bootTenants(scene, [], { ...options, tenants: { schemas: [...tenants, 'meanwhile'] } });
  expect(again.tenants?.map(({ status, applied }) => `${status} ${applied.length}`)).toEqual([
    ...['in-sync 0', 'migrated 3', 'migrated 3', 'migrated 3', 'in-sync 0', 'migrated 3'],
  ]);
});

describe('knex itself', () => {
  test('that is at work on one tenant is waited for by that one alone, and each migration runs once', async () => {
    const tenants = await tenantsNamed('beside', 3);
    const theirs = `case when current_schema() = 'beside1' then pg_catalog.pg_advisory_xact_lock(4711) end`;
    const directory = await makeMigrations({ '01_notes': 'create table notes (id int)', '02_slow': `select ${theirs}` });
    const own = { database, directory };
    const gate = await database.connect();
    await gate.query('select pg_advisory_lock(4711)');
    const url = new URL(database.url);
    url.searchParams.set('options', '-c search_path=beside1');
    const knex = runKnex('migrate:latest', { url: url.href, directory });
    await poll(async () => (await database.query(`select from pg_locks where locktype = 'advisory' and not granted and objid = 4711`))[0]);
    const events: ProgressEvent[] = [];
    const booting = bootTenants(own, tenants, { onProgress: (event) => void events.push(event) });
    const has = (event: string, tenant: string) => events.some((each) => each.event === event && each['tenant'] === tenant);
    await poll(() => Promise.resolve(has('lock.knex-waiting', 'beside1') && has('tenant.ready', 'beside2') ? true : undefined));
    expect(await ranIn(database, 'beside2')).toEqual(['01_notes.js', '02_slow.js']);
    await gate.query('select pg_advisory_unlock(4711)');
    expect(await knex).toMatchObject({ code: 0 });
    const outcome = await booting;
    expect(outcome.tenants?.map(({ status, applied }) => `${status} ${applied.length}`)).toEqual(['migrated 2', 'in-sync 0', 'migrated 2']);
    for (const tenant of tenants) expect(await ranIn(database, tenant)).toEqual(['01_notes.js', '02_slow.js']);
  });

  test('whose lock is left set in one tenant keeps that one alone from its migrations', async () => {
    const tenants = await tenantsNamed('left', 3);
    await bootTenants({ database, directory: await directoryOf(1) }, tenants);
    await database.query('update left1.knex_migrations_lock set is_locked = 1');
    const error = await failTenants(scene, tenants, { timeouts: { lockMs: 300 } });
    expect(error.members.map(({ status, error: why }) => why?.code ?? status)).toEqual(['migrated', 'EM_KNEX_LOCKED', 'migrated']);
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', exitCode: 78 });
    expect([await ranIn(database, 'left1'), await ranIn(database, 'left2')]).toEqual([['01_notes.js'], names]);
    await database.query('update left1.knex_migrations_lock set is_locked = 0');
    expect(await bootTenants(scene, tenants)).toMatchObject({ applied: [{}, {}], tenants: [{}, { status: 'migrated' }, {}] });
    await expectAtHead(tenants);
  });
});

describe('the lock of all tenants', () => {
  async function holdLock() {
    const holder = await database.connect();
    const { namespace, key } = fleetKey('knex_migrations');
    await holder.query(`select pg_advisory_lock(${namespace}, ${key})`);
    return { release: async () => await holder.query(`select pg_advisory_unlock(${namespace}, ${key})`) };
  }

  test('is waited for, but not by those who find all tenants at head', async () => {
    const tenants = await tenantsNamed('waited', 3);
    const { release } = await holdLock();
    const events: ProgressEvent[] = [];
    const waiting = bootTenants(scene, tenants, { onProgress: (event) => void events.push(event) });
    await poll(() => Promise.resolve(events.find(({ event }) => event === 'lock.waiting')));
    const options: Options = { connection: database.url, migrations: scene.directory, logger: false, tenants: { schemas: tenants } };
    for (const tenant of await tenantsOf(options)) await ensureMigrated(tenant.options);
    expect(await waiting).toMatchObject({ status: 'in-sync', applied: [] }); // while the lock is still held
    await release();
    await expectAtHead(tenants);
  });

  test('ends a wait in which nothing moves with EM_LOCK_TIMEOUT, and nothing is changed', async () => {
    const tenants = await tenantsNamed('patient', 2);
    const { release } = await holdLock();
    const error = await failTenants(scene, tenants, { timeouts: { lockMs: 300 } });
    expect(error).toMatchObject({
      code: 'EM_LOCK_TIMEOUT',
      message: expect.stringContaining('of which 2 are behind; held by pid') as string,
    });
    expect(await tablesOf(database, 'patient0')).toEqual([]);
    await release();
  });
});

describe('the modes that write nothing', () => {
  test('verify names those that are behind', async () => {
    const tenants = await tenantsNamed('verified', 3);
    await bootTenants(scene, ['verified1']);
    const error = await failTenants(scene, tenants, { mode: 'verify' });
    expect(error.members.map(({ status }) => status)).toEqual(['failed', 'in-sync', 'failed']);
    expect(error.message).toMatch(/tenant verified0: EM_OUT_OF_SYNC[^]*not applied: 01_notes\.js, 02_author\.js, 03_index\.js/);
    expect(await tablesOf(database, 'verified0')).toEqual([]);
    await bootTenants(scene, tenants);
    expect(await bootTenants(scene, tenants, { mode: 'verify' })).toMatchObject({ status: 'in-sync' });
  });

  test('wait goes on when another call has brought all of them to head', async () => {
    const tenants = await tenantsNamed('awaited', 3);
    const events: ProgressEvent[] = [];
    const waiting = bootTenants(scene, tenants, { mode: 'wait', onProgress: (event) => void events.push(event) });
    await poll(() => Promise.resolve(events.find(({ event }) => event === 'lock.waiting')));
    await bootTenants(scene, tenants);
    expect(await waiting).toMatchObject({ status: 'in-sync', applied: [], tenants: [{}, {}, {}] });
  });

  test('wait ends when nothing moves, and at once where a person must act', async () => {
    const tenants = await tenantsNamed('stuck', 2);
    const error = await failTenants(scene, tenants, { mode: 'wait', timeouts: { lockMs: 300 } });
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', exitCode: 75, members: [{ error: { code: 'EM_WAIT_TIMEOUT' } }, {}] });
    await bootTenants(scene, ['stuck1']);
    await database.query(`insert into stuck1.knex_migrations (name, batch) values ('00_gone.js', 1)`);
    const lasting = await failTenants(scene, tenants, { mode: 'wait' });
    expect(lasting.exitCode).toBe(78);
    expect(lasting.members.map(({ error: each }) => each?.code)).toEqual(['EM_WAIT_TIMEOUT', 'EM_OUT_OF_SYNC']);
  });

  test('off looks at nothing, not even at the list', async () => {
    const schemas = () => Promise.reject(new Error('asked'));
    expect(await bootTenants(scene, [], { mode: 'off', tenants: { schemas } })).toMatchObject({ status: 'off' });
    const error = await failTenants(scene, [], { tenants: { schemas } });
    expect(error).toMatchObject({
      code: 'EM_CONFIG_INVALID',
      message: expect.stringContaining('tenants.schemas() threw: asked') as string,
    });
  });
});

test('a backup is taken once for the database, before the first tenant is begun', async () => {
  const tenants = await tenantsNamed('kept', 3);
  const events: string[] = [];
  const outcome = await bootTenants(scene, tenants, {
    backup: { command: 'echo taken' },
    onProgress: ({ event }) => void events.push(event),
  });
  expect(outcome).toMatchObject({ status: 'migrated', backup: 'taken' });
  expect(events.filter((event) => event === 'backup.taken')).toHaveLength(1);
  expect(events.indexOf('backup.taken')).toBeLessThan(events.indexOf('step.started'));
  expect(await bootTenants(scene, tenants, { backup: { command: 'exit 1' } })).toMatchObject({ status: 'in-sync' });
  await createSchemas(database, ['unkept']);
  expect(await failTenants(scene, ['unkept'], { backup: { command: 'exit 1' } })).toMatchObject({ code: 'EM_BACKUP_FAILED' });
  expect(await tablesOf(database, 'unkept')).toEqual([]);
});

test('no more are at work at once than a quarter of the connections of the server', async () => {
  const tenants = await tenantsNamed('wide', 2);
  const [row] = await database.query(`select current_setting('max_connections')::int / 4 as most`);
  const events: ProgressEvent[] = [];
  await bootTenants(scene, tenants, { tenants: { schemas: tenants, concurrency: 1_000 }, onProgress: (event) => void events.push(event) });
  expect(events.find(({ event }) => event === 'tenants.narrowed')).toMatchObject({ concurrency: row?.['most'] as number, asked: 1_000 });
});

describe('backfills of tenants', () => {
  const notes = {
    '01_notes': {
      up: async (knex: { raw(sql: string): Promise<unknown> }) =>
        await knex.raw('create table notes (id int primary key, v int); insert into notes select i from generate_series(1, 20) i'),
      down: () => undefined,
    },
  };

  async function backfillModules() {
    const { backfill } = await import('../../src/index.js');
    const up = async (knex: never) => await backfill.enqueue(knex, 'fill');
    return { ...notes, '02_fill': { backfills: { fill: { table: 'notes', set: 'v = id' } }, up, down: () => undefined } };
  }

  async function leftIn(tenant: string): Promise<number> {
    const [row] = await database.query(`select count(*)::int as left from ${tenant}.notes where v is distinct from id`);
    return row?.['left'] as number;
  }

  test('are worked on by one worker after the boot, which goes from tenant to tenant', async () => {
    const tenants = await tenantsNamed('filled', 3);
    const options = { migrations: { modules: await backfillModules() } } as never as Options;
    const outcome = await bootTenants(scene, tenants, options);
    expect(outcome.tenants?.map(({ backfills }) => backfills?.map(({ name }) => name))).toEqual([['fill'], ['fill'], ['fill']]);
    for (const tenant of tenants) await poll(async () => ((await leftIn(tenant)) === 0 ? true : undefined));
    const done = async () =>
      (
        await Promise.all(
          tenants.map(async (name) => await database.query(`select from ${name}.knex_migrations_backfills where status <> 'done'`)),
        )
      ).flat();
    await poll(async () => ((await done()).length === 0 ? true : undefined));
    expect((await bootTenants(scene, tenants, options)).tenants?.some(({ backfills }) => backfills !== undefined)).toBe(false);
  });

  test('are done before the call returns where it is blocking, and told by all calls until then', async () => {
    const tenants = await tenantsNamed('blocked', 2);
    const options = { migrations: { modules: await backfillModules() }, backfills: 'manual' } as never as Options;
    await bootTenants(scene, tenants, options);
    for (const mode of ['apply', 'verify'] as const)
      expect((await bootTenants(scene, tenants, { ...options, mode })).tenants).toMatchObject([
        { backfills: [{ name: 'fill' }] },
        { backfills: [{}] },
      ]);
    expect(await leftIn('blocked0')).toBe(20);
    const outcome = await bootTenants(scene, tenants, { ...options, backfills: 'blocking' });
    expect(outcome.tenants?.some(({ backfills }) => backfills !== undefined)).toBe(false);
    expect([await leftIn('blocked0'), await leftIn('blocked1')]).toEqual([0, 0]);
  });
});

describe('the option searchPath', () => {
  let own: TestDatabase;

  beforeAll(async () => {
    own = await createDatabase();
    await own.query(
      `create schema role_s; create schema knex_s; create schema created_s; create schema mine; alter database ${own.name} set search_path = role_s`,
    );
  });

  const expected = ['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock', 'notes', 'ran'];

  test('searchPath beats what the database, knex and its pool.afterCreate say, in reading, checks and migrations', async () => {
    const afterCreate = (client: { query(sql: string, done: (error?: Error) => void): void }, done: (error?: Error) => void) =>
      client.query('set search_path = created_s', done);
    const knex = knexOf({ client: 'pg', connection: own.url, searchPath: ['knex_s'], pool: { afterCreate } });
    const seen: unknown[] = [];
    const check = {
      name: 'path',
      run: async ({ query }: { query(sql: string): Promise<unknown[]> }) => {
        seen.push(...(await query('select current_schema() as schema')));
        return [];
      },
    };
    const options: Options = { knex, migrations: scene.directory, searchPath: ['mine', 'public'], logger: false, checks: [check] as never };
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{}, {}, {}] });
    expect(seen).toEqual([{ schema: 'mine' }]);
    expect(await ranIn(own, 'mine')).toEqual(names);
    expect(await tablesOf(own, 'mine')).toEqual(expected);
    for (const schema of ['public', 'role_s', 'knex_s', 'created_s']) expect([schema, await tablesOf(own, schema)]).toEqual([schema, []]);
    expect(await ensureMigrated({ ...options, mode: 'verify' })).toMatchObject({ status: 'in-sync' });
    await knex.destroy();
  });

  test('a first schema that is not there is refused before anything is made in the next one', async () => {
    const options: Options = { connection: own.url, migrations: scene.directory, searchPath: ['missing', 'public'], logger: false };
    await expect(ensureMigrated(options)).rejects.toMatchObject({
      code: 'EM_CHECK_FAILED',
      message: expect.stringContaining('the schema "missing", the first of searchPath, does not exist') as string,
      remedy: expect.stringContaining('grant usage, create on schema "missing" to') as string,
    });
    expect(await tablesOf(own)).toEqual([]);
  });
});

describeWithPgBouncer('behind PgBouncer in transaction mode', () => {
  test('each tenant is migrated in its own schema, and nothing is left on the sessions of others', async () => {
    const tenants = await tenantsNamed('pooled', 4);
    const pooler = await startPgBouncer(database.url, { settings: { default_pool_size: 8 } });
    const connection = pooler.urlOf(database.url);
    const schemas: string[] = [];
    const run = async ({ query }: CheckContext) => {
      for (const { schema } of await query<{ schema: string }>('select current_schema() as schema')) schemas.push(schema);
      return [];
    };
    const checks = [{ name: 'path', run }];
    expect(await bootTenants(scene, tenants, { connection, checks })).toMatchObject({ status: 'migrated', to: '03_index.js' });
    expect(schemas.sort()).toEqual(tenants); // before the first history is there, too
    await expectAtHead(tenants);
    expect(await bootTenants(scene, tenants, { connection })).toMatchObject({ status: 'in-sync' });
    expect(
      await database.query(
        `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      ),
    ).toEqual([]);
    const clients = await Promise.all(Array.from({ length: 8 }, async () => await database.connect(connection)));
    const shown = await Promise.all(
      clients.map(async (client) => (await client.query<{ search_path: string }>(`show search_path`)).rows[0]?.search_path),
    );
    expect(new Set(shown)).toEqual(new Set(['"$user", public']));
  });

  test('one whose schema is renamed in the middle of its run fails for itself, and nothing of it is left anywhere', async () => {
    const tenants = await tenantsNamed('renamed', 2);
    const pooler = await startPgBouncer(database.url, { settings: { default_pool_size: 8 } });
    const up = async (knex: Knex) => {
      await knex.raw('create table notes (id int)');
      if ((await knex.raw<{ rows: { schema: string }[] }>('select current_schema() as schema')).rows[0]?.schema === 'renamed0')
        await database.query('alter schema renamed0 rename to other');
      await knex.raw('create table then_here (id int)');
    };
    const modules = { '01_notes': { up, down: () => undefined, config: { capture: false } } };
    const options = { migrations: { modules }, connection: pooler.urlOf(database.url) } as never as Options;
    const error = await failTenants(scene, tenants, options);
    expect(error.members.map(({ status, error: why }) => why?.code ?? status)).toEqual(['EM_LOCK_LOST', 'migrated']);
    expect([await tablesOf(database), await tablesOf(database, 'other')]).toEqual([[], []]);
    await database.query('create schema renamed0'); // as a new tenant, which is not renamed again
    await database.query('drop schema other');
  });
});
