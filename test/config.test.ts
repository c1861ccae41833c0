import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import knexOf, { type Knex } from 'knex';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { renderOptionsTable } from '../src/config/document.js';
import { resolveConfig, ruleTable, type Options, type PgConfig } from '../src/config/index.js';
import { root } from './support/majors.js';

const url = 'postgres://app:s3cret@db:5432/clinic';
const environment = process.env;
beforeEach(() => void (process.env = { DATABASE_URL: url }));
afterEach(() => void (process.env = environment));

const knexWith = (migrations: object) => knexOf({ client: 'pg', connection: url, migrations });

test.each([new URL('file:///srv/migrations/'), 'file:///srv/migrations/', '/srv/migrations/', '/srv/x/../migrations'])(
  'a directory has one name, however it is written: %s',
  (migrations) => {
    expect(resolveConfig({ migrations }).migrations.directories).toEqual(['/srv/migrations']);
  },
);

describe('what is not given', () => {
  test('has the default of the table', async () => {
    const config = resolveConfig();
    const { connection, rules, migrations, ...rest } = config;
    expect(await connection()).toEqual({ connectionString: url });
    expect(rest).toEqual({
      mode: 'apply',
      backfills: 'background',
      transaction: 'each',
      backup: false,
      lint: { smallTableRows: 10_000 },
      streams: [],
      replicas: [],
      checks: [],
      throttle: {
        replicaLagMs: 10_000,
        replicaLagBytes: undefined,
        slotBacklogBytes: undefined,
        waitingLocksCount: 20,
        autovacuum: false,
        duty: 1,
        check: undefined,
      },
      expect: {},
      application: { name: path.basename(process.cwd()), version: undefined },
      timeouts: { connectMs: 30_000, lockMs: 60_000, callMs: 600_000, harmMs: 500, silenceMs: 60_000, leaseMs: 15_000 },
    });
    expect(Object.fromEntries(Object.entries(rules).map(([rule, { level }]) => [rule, level]))).toMatchObject({
      'history-pending': 'error',
      'history-out-of-order': 'warn',
      'schema-drift': 'warn',
      identity: 'error',
    });
    expect(migrations).toEqual({
      directories: [path.resolve('migrations')],
      sortDirsSeparately: false,
      tableName: 'knex_migrations',
      disableTransactions: false,
      disableMigrationsListValidation: false,
      hooks: {},
      making: {},
    });
  });

  test('counts as not given when it is undefined', () => {
    const nothing = Object.fromEntries(Object.keys(resolveConfig()).map((name) => [name, undefined]));
    expect({ ...resolveConfig(nothing), connection: 0 }).toEqual({ ...resolveConfig(), connection: 0 });
  });

  test('comes from the environment, which an option beats', () => {
    Object.assign(process.env, { ENSURE_MIGRATED_MODE: 'verify', NODE_ENV: 'production' });
    Object.assign(process.env, { npm_package_name: 'clinic-api', npm_package_version: '1.2.3' });
    expect(resolveConfig()).toMatchObject({
      mode: 'verify',
      environment: 'production',
      application: { name: 'clinic-api', version: '1.2.3' },
    });
    process.env['ENSURE_MIGRATED_ENVIRONMENT'] = 'staging';
    expect(resolveConfig({ mode: 'off', application: { name: 'worker' } })).toMatchObject({
      mode: 'off',
      environment: 'staging',
      application: { name: 'worker', version: '1.2.3' },
    });
  });

  test('is not in the environment either when the variable is set to nothing', () => {
    Object.assign(process.env, { ENSURE_MIGRATED_MODE: '', ENSURE_MIGRATED_ENVIRONMENT: '', NODE_ENV: 'test' });
    expect(resolveConfig()).toMatchObject({ mode: 'apply', environment: 'test' });
  });
});

describe('the connection', () => {
  const connected = async (options: Options) => await resolveConfig(options).connection();

  test.each<[string, Options['connection'], PgConfig]>([
    ['a URL', 'postgresql://h/d', { connectionString: 'postgresql://h/d' }],
    ['a URL object', new URL('postgres://h/d'), { connectionString: 'postgres://h/d' }],
    ['a URL without a host', 'postgres://app@/d?host=/run/pg', { connectionString: 'postgres://app@/d?host=/run/pg' }],
    ['a Unix socket', '/run/postgresql clinic', { connectionString: '/run/postgresql clinic' }],
    ['a configuration of pg', { host: 'h', ssl: true }, { host: 'h', ssl: true }],
    ['a function giving a URL', () => 'postgres://h/d', { connectionString: 'postgres://h/d' }],
    ['an async function', () => Promise.resolve({ host: 'h' }), { host: 'h' }],
  ])('may be %s', async (_what, connection, expected) => {
    expect(await connected({ connection })).toEqual(expected);
    expect(await resolveConfig({ directConnection: connection }).directConnection?.()).toEqual(expected);
  });

  test('is asked of the function each time, and given as a new object each time', async () => {
    let count = 0;
    const { connection } = resolveConfig({ connection: () => `postgres://h/${++count}` });
    expect([await connection(), await connection()]).toEqual([
      { connectionString: 'postgres://h/1' },
      { connectionString: 'postgres://h/2' },
    ]);
    const settings = { host: 'h' };
    expect(await connected({ connection: settings })).not.toBe(settings);
  });

  test('is refused when it is asked for and the function gives none, without showing it', async () => {
    const { connection } = resolveConfig({ connection: () => 'mysql://app:s3cret@h/d' });
    await expect(connection()).rejects.toMatchObject({
      code: 'EM_CONFIG_INVALID',
      message: expect.not.stringContaining('s3cret') as string,
    });
    await expect(connection()).rejects.toThrow('connection(): expected a URL such as postgres://user@host:5432/database, with the');
  });

  test('is left to pg when its variables name a database', async () => {
    process.env = { PGDATABASE: 'clinic' };
    expect(await connected({})).toEqual({});
  });

  test('is not needed by the mode off, until somebody asks', async () => {
    process.env = { ENSURE_MIGRATED_MODE: 'off' };
    await expect(resolveConfig().connection()).rejects.toThrow('no database given');
  });

  test("finds the password in a pool's options, where pg hides it", async () => {
    const pool = new pg.Pool({ host: 'h', password: 's3cret' });
    expect(await connected({ connection: pool.options })).toMatchObject({ host: 'h', password: 's3cret' });
  });

  test('is as it was at the call, whatever becomes of the object later', async () => {
    const settings = { host: 'h' };
    const { connection } = resolveConfig({ connection: settings });
    settings.host = 'elsewhere';
    expect(await connection()).toEqual({ host: 'h' });
  });

  test("takes a pool's configuration, and what a newer pg may know", async () => {
    const settings: pg.PoolConfig = { host: 'h', max: 3, idleTimeoutMillis: 10 };
    const client: pg.ClientConfig = (await connected({ connection: { ...settings, quantumSafe: true } as PgConfig })) satisfies PgConfig;
    expect(client).toEqual({ ...settings, quantumSafe: true });
  });
});

describe('a knex instance', () => {
  test('lends its connection with the password that knex hides, whatever the environment says', async () => {
    process.env = { DATABASE_URL: 'not a url' };
    const settings = { host: 'h', user: 'app', password: 's3cret', database: 'd' };
    expect(await resolveConfig({ knex: knexOf({ client: 'pg', connection: settings }) }).connection()).toEqual(settings);
    expect(await resolveConfig({ knex: knexWith({}) }).connection()).toMatchObject({ host: 'db', password: 's3cret', database: 'clinic' });
  });

  test('lends a connection that it asks a function for', async () => {
    let count = 0;
    const knex = knexOf({ client: 'pg', connection: () => ({ host: 'h', password: `p${++count}`, expirationChecker: () => true }) });
    const { connection } = resolveConfig({ knex });
    expect([(await connection()).password, (await connection()).password]).toEqual(['p1', 'p2']);
  });

  test('lends its migrations configuration, which `migrations` lies over key by key', () => {
    const knex = knexWith({ directory: ['./a', './b'], tableName: 'history', schemaName: null, unknown: 1 });
    expect(resolveConfig({ knex }).migrations).toMatchObject({ directories: [path.resolve('a'), path.resolve('b')], tableName: 'history' });
    expect(resolveConfig({ knex, migrations: './c' }).migrations).toMatchObject({ directories: [path.resolve('c')], tableName: 'history' });
    const modules = { '0001_a.js': { up: () => undefined } };
    expect(resolveConfig({ knex, migrations: { modules } }).migrations).toMatchObject({ directories: [], modules, tableName: 'history' });
  });

  test('keeps its migrationSource only while no option is about files, as in knex', () => {
    const migrationSource = { getMigrations: () => Promise.resolve([]), getMigrationName: () => '', getMigration: () => ({}) };
    const sourceOf = (options: Options) => resolveConfig(options).migrations.migrationSource;
    expect(sourceOf({ knex: knexWith({ migrationSource }) })).toBe(migrationSource);
    expect(sourceOf({ knex: knexWith({ migrationSource, directory: './a' }) })).toBeUndefined();
    expect(sourceOf({ knex: knexWith({ migrationSource }), migrations: { sortDirsSeparately: true } })).toBeUndefined();
    expect(sourceOf({ knex: knexWith({ migrationSource }), migrations: './a' })).toBeUndefined();
  });
});

test('directories are absolute, and may be file URLs', () => {
  const there = path.resolve('there');
  const list = ['there', pathToFileURL(there), pathToFileURL(there).href];
  expect(resolveConfig({ migrations: list }).migrations.directories).toEqual([there, there, there]);
});

test('what pg and knex call their configurations fits by its type', () => {
  expectTypeOf<pg.ClientConfig>().toExtend<Options['connection']>();
  expectTypeOf<pg.PoolConfig>().toExtend<Options['connection']>();
  expectTypeOf<Knex.PgConnectionConfig>().toExtend<Options['connection']>();
  expectTypeOf<PgConfig>().toExtend<pg.ClientConfig>();
  expectTypeOf<Knex.MigratorConfig>().toExtend<Options['migrations']>();
  expectTypeOf<Knex<{ id: number }, { id: number }[]>>().toExtend<Options['knex']>();
  expectTypeOf<{ readonly mode: 'aply' }>().not.toExtend<Options>();
});

test('a rule takes a level, or a level with exceptions', () => {
  const { rules } = resolveConfig({ rules: { 'history-edited': 'off', 'invalid-index': { level: 'error', except: ['a_idx'] } } });
  expect(rules).toMatchObject({
    'history-edited': { level: 'off', except: [] },
    'invalid-index': { level: 'error', except: ['a_idx'] },
    blockers: { level: 'warn', except: [] },
  });
});

test('the result is frozen all the way down, the objects of the user are not', () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const check = { name: 'mine', run: () => [] };
  const modules = { a: { up: () => undefined } };
  const knex = knexWith({});
  const config = resolveConfig({
    knex,
    logger,
    checks: [check],
    migrations: { modules, beforeAll: () => undefined },
    expect: { database: 'd' },
  });
  const theirs = new Set<unknown>([knex, logger, check, modules.a]);
  const unfrozen = (value: unknown, at: string): string[] => {
    if (typeof value !== 'object' || value === null || theirs.has(value)) return [];
    return [...(Object.isFrozen(value) ? [] : [at]), ...Object.entries(value).flatMap(([key, each]) => unfrozen(each, `${at}.${key}`))];
  };
  expect(unfrozen(config, 'config')).toEqual([]);
  expect([...theirs].filter((each) => Object.isFrozen(each))).toEqual([]);
});

test('nothing is read from the environment at import', async () => {
  const read: PropertyKey[] = [];
  process.env = new Proxy({}, { get: (_, name) => void read.push(name), has: (_, name) => void read.push(name) as unknown as boolean });
  vi.resetModules();
  const fresh = await import('../src/config/index.js');
  expect(read.filter((name) => !String(name).startsWith('VITE'))).toEqual([]);
  expect(() => fresh.resolveConfig()).toThrow('no database given');
  expect(read).toContain('DATABASE_URL');
});

test('docs/options.md is what the tables say (UPDATE_DOCS=1 writes it anew)', () => {
  const file = path.join(root, 'docs', 'options.md');
  if (environment['UPDATE_DOCS']) writeFileSync(file, renderOptionsTable());
  expect(readFileSync(file, 'utf8')).toBe(renderOptionsTable());
  for (const name of [...Object.keys(resolveConfig()), ...Object.keys(ruleTable)])
    expect(renderOptionsTable()).toContain(`\n| \`${name}\` |`);
});
