import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import path from 'node:path';
import createKnex from 'knex';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { renderSarif } from '../src/cli/lint-sarif.js';
import * as commands from '../src/commands/index.js';
import { backfill, createTenant, ensureAllMigrated, ensureMigrated, isMigrationError, type Logger, type Options } from '../src/index.js';
import { resetSchema, startTestDatabases } from '../src/testing/index.js';
import { makeDirectory } from './support/directories.js';
import { makeScene, rowValue } from './support/scene.js';
import { makeSecret, ownTables, printed, secretsIn } from './support/secrets.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

// The net that every child process and every database of the suite falls into (support/process.ts, support/servers.ts) does hold.
test('a password of the superuser or of a role is found in a text, and in a table of our own', async () => {
  const database = await createDatabase();
  const role = await database.createRole();
  expect(secretsIn(`cannot reach ${database.url}`)).toEqual([new URL(database.url).password]);
  expect(secretsIn(`cannot reach ${role.url}, again: ${role.password}`)).toEqual([role.password]);
  expect(secretsIn('cannot reach postgres://***@host/db')).toEqual([]);
  expect(secretsIn(printed(new Error('x', { cause: Object.assign(new Error('y'), { config: role }) })))).toEqual([role.password]);
  await database.query(`create table knex_migrations_journal (error jsonb)`);
  await database.query(`insert into knex_migrations_journal values (to_jsonb($1::text))`, [role.url]);
  const [kept] = await database.query(ownTables);
  expect(secretsIn(String(kept?.['text']))).toEqual([role.password]);
  await database.query('drop table knex_migrations_journal');
});

let database: TestDatabase;
let directory: string;
let migrations: string;
beforeAll(async () => {
  database = await createDatabase();
  directory = await makeDirectory({ 'model.sql': 'create table a ();\n', 'knex.dump': 'none' });
  migrations = await makeDirectory({ '0001_a.sql': 'create table a ();\n', '0002_b.sql': 'create table b ();\n' });
});
afterEach(() => vi.unstubAllEnvs());

/** A URL with a password, by what is wrong with it, and what a boot says then. */
const wrong: Readonly<
  Record<string, { readonly url: (url: string) => string; readonly code: string; readonly timeouts?: Options['timeouts'] }>
> = {
  'a wrong password': { url: (url) => url, code: 'EM_CONNECT_REJECTED' },
  'an unknown database': { url: (url) => url.replace(/\/[^/]*$/, '/none'), code: 'EM_CONNECT_REJECTED' },
  'an unknown host': { url: (url) => url.replace(/@[^/]*/, '@em.invalid:5432'), code: 'EM_CONNECT', timeouts: { connectMs: 1 } },
  'a port on which nobody listens': {
    url: (url) => url.replace(/@[^/]*/, '@127.0.0.1:1'),
    code: 'EM_CONNECT_TIMEOUT',
    timeouts: { connectMs: 1 },
  },
  'a server without TLS': { url: (url) => `${url}?sslmode=verify-full`, code: 'EM_CONNECT_REJECTED' },
};

/** The ways in which a password comes in. */
const ways: Readonly<Record<string, (url: string) => Options>> = {
  'a URL': (url) => ({ connection: url }),
  'a configuration of pg': (url) => ({ connection: configOf(url) }),
  'a function': (url) => ({ connection: () => configOf(url) }),
  'a knex instance': (url) => ({ knex: createKnex({ client: 'pg', connection: configOf(url) }) }),
  'the variables of pg': (url) => {
    const { host, port, user, password, database: name, ssl } = configOf(url);
    Object.entries({ HOST: host, PORT: String(port), USER: user, PASSWORD: password, DATABASE: name }).forEach(([part, value]) =>
      vi.stubEnv(`PG${part}`, value),
    );
    return ssl ? { connection: { ssl } } : {};
  },
};

describe('a password of the connection is in nothing that can be made of an error:', () => {
  test.each(Object.keys(ways))('%s', async (way) => {
    for (const [what, { url, code, ...timeouts }] of Object.entries(wrong)) {
      const { said, thrown } = await heard(
        async (options) => await ensureMigrated({ ...options, ...timeouts, ...ways[way]?.(url(await target(what))) }),
      );
      expect(thrown, what).toMatchObject({ code: expect.stringMatching(`^${code}`) as string });
      expect(secretsIn(said), what).toEqual([]);
    }
  });

  test.each(['a wrong password', 'an unknown database'])('each verb, with %s', async (what) => {
    const connection = wrong[what]?.url(await target(what)) ?? '';
    const { init: _1, revision: _2, renderReport: _3, repairActions: _4, ...verbs } = commands;
    const codes: Record<string, unknown> = {};
    for (const [name, verb] of Object.entries(verbs)) {
      const call = verb as (options: Options, asked: object) => Promise<unknown>;
      const { said, thrown } = await heard(
        async (options) => await call({ ...options, connection, schema: path.join(directory, 'model.sql') }, asked(name)),
      );
      codes[name] = (thrown as { code?: unknown } | undefined)?.code;
      expect(secretsIn(said), name).toEqual([]);
    }
    const others = { restore: 'EM_RESTORE_REFUSED', script: undefined }; // the file is no backup; it needs no server for these
    expect(codes).toEqual({ ...Object.fromEntries(Object.keys(verbs).map((name) => [name, 'EM_CONNECT_REJECTED'])), ...others });
  });

  test('what else connects', async () => {
    const connection = await target('a wrong password');
    const name = new URL(connection).pathname.slice(1);
    const works = { connection: database.url };
    const calls: Readonly<Record<string, (options: Options) => Promise<unknown>>> = {
      'a tenant': async (options) => await createTenant('a', { ...options, connection }),
      'several databases': async (options) => await ensureAllMigrated({ ...options, databases: [{ name: 'eu', connection }] }),
      tenants: async (options) => await ensureMigrated({ ...options, connection, tenants: { schemas: ['a'] } }),
      'a stream': async (options) => await ensureMigrated({ ...options, connection, streams: [{ name: 'p', migrations }] }),
      'a replica': async (options) => await ensureMigrated({ ...options, ...works, replicas: [connection] }),
      'a backfill': async (options) => await backfill.list({ ...options, connection }),
      'a reset': async (options) => await resetSchema({ ...options, connection, confirm: name }),
      'the test databases': async () => await startTestDatabases({ url: connection, migrations }),
    };
    for (const [what, call] of Object.entries(calls)) {
      const { said, thrown } = await heard(call);
      expect(isMigrationError(thrown), `${what}: ${String(thrown)}`).toBe(true);
      expect(secretsIn(said), what).toEqual([]);
    }
  });

  test('options that are wrong beside it, and a connection that is none', async () => {
    const url = await target('a wrong password');
    const { password, ...rest } = configOf(url);
    const mistakes: readonly unknown[] = [
      { connection: url, mode: 'aply' },
      { connection: url, timeouts: { lockMs: 'soon' }, rules: { nonsense: 'off' } },
      { connection: `${url.replace(/@.*/, '@host:port/db')}` },
      { connection: url.replace('postgres:', 'mysql:') },
      { connection: url.slice('postgres://'.length) },
      { connection: [url] },
      { connection: { conectionString: url } },
      { connection: { ...rest, pasword: password } },
      { connection: () => ({ password }) },
      { conection: url },
      { connection: url, mode: url },
      { connection: url, expect: { database: url, host: url } },
      { connection: url, replicas: url },
      { knex: url },
      { databases: [{ name: url, connection: url }, { connection: url }] },
    ];
    for (const mistake of mistakes) {
      const { said, thrown } = await heard(async (options) =>
        mistake !== null && typeof mistake === 'object' && 'databases' in mistake
          ? await ensureAllMigrated({ ...options, ...(mistake as unknown as { databases: [] }) })
          : await ensureMigrated({ ...options, ...(mistake as Options) }),
      );
      expect(thrown).toMatchObject({ code: 'EM_CONFIG_INVALID' });
      expect(secretsIn(said), JSON.stringify(Object.keys(mistake as object))).toEqual([]);
    }
  });
});

describe('a connection string that the code of a user throws is masked:', () => {
  const thrown = `cannot reach postgres://app:${makeSecret()}@db/x`;

  test.each<[string, () => unknown]>([
    ['an error', () => new Error('no lease', { cause: new Error(thrown) })],
    ['several', () => new AggregateError([new Error(thrown), thrown], 'no lease')],
    ['an error with texts of its own', () => Object.assign(new Error('no lease'), { originalStack: thrown })], // as knex makes it
    ['a text', () => thrown],
    ['an object', () => ({ why: thrown })],
  ])('%s, by the function that gives the connection', async (_what, error) => {
    const connection = (): never => {
      throw error(); // anything may be thrown
    };
    const heardOf = await heard(async (options) => await ensureMigrated({ ...options, connection }));
    expect(heardOf.thrown).toMatchObject({ code: 'EM_CONNECT_REJECTED' });
    expect(secretsIn(heardOf.said)).toEqual([]);
  });

  test('where a second connection can do without it', async () => {
    const { url } = await createDatabase();
    const given = [url];
    const connection = () => given.pop() ?? Promise.reject(new Error(thrown));
    const { said, lines } = await heard(async (options) => await ensureMigrated({ ...options, connection }));
    expect(lines).toContain('watch.unavailable');
    expect(secretsIn(said)).toEqual([]);
  });

  test('by an observer, in the warning of the process', async () => {
    const warned = once(process, 'warning');
    const onProgress = (): never => {
      throw new Error(thrown);
    };
    await expect(ensureMigrated({ connection: database.url, migrations, logger: false, mode: 'verify', onProgress })).rejects.toThrow();
    expect(secretsIn(printed(await warned))).toEqual([]);
  });

  test('by a migration, in what is foretold of it', async () => {
    const throwing = await makeDirectory({ '0001_a.cjs': `exports.up = () => { throw new Error('${thrown}'); };\n` });
    const options = { connection: database.url, migrations: throwing, logger: false } as const;
    const plan = await commands.plan(options);
    const report = await commands.lint(options);
    for (const text of [printed([plan, report]), commands.renderReport([{ plan }]), JSON.stringify(renderSarif(report, throwing))]) {
      expect(text).toContain('it throws: cannot reach');
      expect(secretsIn(text)).toEqual([]);
    }
  });
});

test('the value of a row that the server quotes is in the thrown error alone: in no event, line, journal, report or SARIF', async () => {
  const scene = await makeScene({
    extension: '.sql',
    text: `insert into patients (email) values ('${rowValue}'), ('${rowValue}');\ncreate index on patients (name);\n`,
  });
  const { said, lines, thrown } = await heard(async (options) => await scene.fail({ logger: options.logger }));
  expect(thrown).toBeUndefined();
  expect(said).toContain(`Key (email)=(${rowValue}) already exists.`);
  expect(lines).toContain('step.failed');
  expect(lines).not.toContain(rowValue);
  const options = { connection: scene.database.url, migrations: scene.directory, logger: false } as const;
  const story = { status: await commands.status(options), history: await commands.history(options) };
  const sarif = renderSarif(await commands.lint({ ...options, lint: { smallTableRows: 0 } }), scene.directory);
  const [kept] = await scene.database.query(ownTables);
  const texts = [JSON.stringify(story), commands.renderReport([story]), JSON.stringify(sarif), String(kept?.['text'])];
  for (const text of texts) expect(text).toContain('0002_hostile');
  for (const text of texts) expect(text).not.toContain(rowValue);
});

/** What must be given to a verb beside the options. */
function asked(verb: string): object {
  const given: Readonly<Record<string, object>> = {
    autogenerate: { message: 'a' },
    backup: { directory },
    baseline: { at: '0002_b' },
    downgrade: { target: 'base' },
    importHistory: { from: 'alembic' },
    repair: { action: 'lock', reason: 'a test', yes: true },
    restore: { file: path.join(directory, 'knex.dump') },
    script: { scratch: true },
    squash: { to: '0002_b', message: 'a' },
    stamp: { target: 'head' },
  };
  return given[verb] ?? {};
}

/** The URL of a role: with its password, unless that is what is wrong. */
async function target(what: string): Promise<string> {
  const role = await database.createRole();
  return what === 'a wrong password' ? database.roleUrl(role.name, makeSecret()) : role.url;
}

function configOf(url: string) {
  const { hostname: host, port, username: user, password, pathname, search } = new URL(url);
  return { host, port: Number(port), user, password, database: pathname.slice(1), ssl: search !== '' };
}

/** Runs a call, and gives all that it says: what it throws or gives, its lines and events (`lines`), and what subscribers of its phases are told. */
async function heard(call: (options: Options & { readonly logger: Logger }) => Promise<unknown>) {
  const told: unknown[] = [];
  const line = (...fields: unknown[]): void => void told.push(fields);
  const errors: unknown[] = [];
  const channel = tracingChannel<unknown, { error?: unknown }>('ensure-migrated');
  const listener = {
    start() {},
    end() {},
    asyncStart() {},
    asyncEnd: ({ error }: { error?: unknown }) => void errors.push(error),
    error() {},
  };
  channel.subscribe(listener);
  let [thrown, given]: unknown[] = [];
  try {
    const logger = { debug: line, info: line, warn: line, error: line };
    given = await call({ migrations, logger, onProgress: line });
  } catch (error) {
    thrown = error;
  } finally {
    channel.unsubscribe(listener);
  }
  const lines = printed(told);
  return { said: [lines, ...errors.map(printed), printed(thrown), printed(given)].join('\n'), lines, thrown };
}
