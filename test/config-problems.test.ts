import knexOf from 'knex';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { resolveConfig, ruleTable, type Options } from '../src/config/index.js';
import { optionTable } from '../src/config/table.js';
import { configFaults } from './support/json-schemas.js';
import { problemsIn, secretUrl, withEnvironment } from './support/problems.js';

const url = secretUrl;
withEnvironment({ DATABASE_URL: url });

const problemsOf = (options: unknown) => problemsIn(() => resolveConfig(options as Options));

const aUrl = 'a URL such as postgres://user@host:5432/database, with the special characters of its password percent-encoded';
const aConnection = 'a URL, a configuration of pg, or a function giving either';
const aName = 'a connectionString, host, user or database';
const aDirectory = 'a path or a file URL of a directory';
const source = { getMigrations: () => [], getMigrationName: () => '', getMigration: () => ({}) };
const transaction = Object.assign(knexOf({ client: 'pg', connection: url }), { isTransaction: true });
const knex = knexOf({ client: 'pg', connection: url });
const unfinished = 'rules.history-unfinished: expected "error" without exceptions, since going on would be a guess';

/** What the schema of the configuration file cannot tell. */
const unseen = 'not seen by an editor';

describe('a problem is told with its path, what is expected and what was given', () => {
  test.each<[unknown, string, string?]>([
    [url, 'options: expected an object; got text'],
    [knex, 'options: expected an object; got knex: write { knex }'],
    [{ connection: 5 }, `connection: expected ${aConnection}; got a number`],
    [{ connection: null }, `connection: expected ${aConnection}; got null`],
    [{ connection: new pg.Pool() }, `connection: expected ${aConnection}; got an instance of BoundPool`],
    [{ connection: '' }, `connection: expected ${aUrl}; got empty text`],
    [{ connection: 'clinic' }, `connection: expected ${aUrl}; got text that is none`],
    [{ connection: 'host=db password=s3cret' }, `connection: expected ${aUrl}; got text that is none`],
    [{ connection: 'postgres://app:s3cret/x@db/clinic' }, `connection: expected ${aUrl}; got text that is none`, unseen],
    [{ connection: 'mysql://app:s3cret@db/clinic' }, `connection: expected ${aUrl}; got one that begins with "mysql:"`],
    [{ connection: { connectionString: 's3cret' } }, `connection.connectionString: expected ${aUrl}; got text that is none`, unseen],
    [{ connection: { host: 'db', pasword: 's3cret' } }, 'connection.pasword: unknown option; did you mean "password"?', unseen],
    [{ connection: { connectionString: undefined } }, `connection: expected ${aName}; got none of them (connectionString is undefined)`],
    [{ connection: { ssl: true } }, `connection: expected ${aName}; got none of them`, unseen],
    [{ directConnection: 'clinic' }, `directConnection: expected ${aUrl}; got text that is none`],
    [{ knex, connection: url }, 'knex: expected alone; got it together with connection'],
    [{ knex: { client: 'pg' } }, 'knex: expected a knex instance; got an object'],
    [{ knex: knexOf }, 'knex: expected a knex instance; got a function'],
    [{ knex: transaction }, 'knex: expected the knex instance itself; got a transaction of it'],
    [{ knex: knexOf({ client: 'pg' }) }, 'knex: expected a knex instance with a connection; got one without'],
    [
      { knex: knexOf({ client: 'cockroachdb' }) },
      'knex: expected a knex instance with the client "pg"; got one with the client "cockroachdb"',
    ],
    [{ knex: knexOf({ client: 'mysql2' }) }, 'knex: expected a knex instance with the client "pg"; got one with the client "mysql2"'],
    [{ migrations: 5 }, `migrations: expected ${aDirectory}; got 5`],
    [{ migrations: [] }, 'migrations: expected a directory or a list of them; got an empty list'],
    [{ migrations: ['a', ''] }, `migrations.1: expected ${aDirectory}; got ""`],
    [{ migrations: new URL('https://example.com/a') }, `migrations: expected ${aDirectory}; got "https://example.com/a"`],
    [{ migrations: { directory: 'file://host/a' } }, `migrations.directory: expected ${aDirectory}; got "file://host/a"`, unseen],
    [{ migrations: { tablename: 'a' } }, 'migrations.tablename: unknown option; did you mean "tableName"?'],
    [{ migrations: { tableName: '' } }, 'migrations.tableName: expected text that is not empty; got ""'],
    [
      { migrations: { tableName: 'x'.repeat(56) } },
      `migrations.tableName: expected at most 53 bytes, since the journal is named <tableName>_journal; got "${'x'.repeat(56)}"`,
    ],
    [{ migrations: { disableTransactions: 'no' } }, 'migrations.disableTransactions: expected true or false; got "no"'],
    [{ migrations: { loadExtensions: '.js' } }, 'migrations.loadExtensions: expected a list of texts that are not empty; got ".js"'],
    [{ migrations: { beforeAll: true } }, 'migrations.beforeAll: expected a function; got true'],
    [
      { migrations: { migrationSource: { getMigrations() {} } } },
      'migrations.migrationSource: expected an object with the methods getMigrations, getMigrationName, getMigration; got an object',
    ],
    [{ migrations: { modules: ['a'] } }, 'migrations.modules: expected an object of names and modules; got a list'],
    [{ migrations: { modules: { a: 'b' } } }, 'migrations.modules.a: expected a module or a function that imports one; got text'],
    [
      { migrations: { modules: {}, migrationSource: source, directory: 'a' } },
      'migrations: expected one of directory, modules and migrationSource; got directory and modules and migrationSource',
    ],
    [
      { knex: knexOf({ client: 'pg', connection: url, migrations: { tableName: 5 as never } }) },
      'knex.migrations.tableName: expected text that is not empty; got 5',
    ],
    [{ searchPath: 'a' }, 'searchPath: expected a list of the names of schemas that is not empty; got "a"'],
    [{ searchPath: ['a', 'x'.repeat(64)] }, `searchPath.1: expected a name of at most 63 bytes; got "${'x'.repeat(60)}..."`, unseen],
    [{ tenants: ['a'] }, 'tenants: expected an object of { schemas, concurrency, onFailure }; got a list'],
    [{ tenants: {} }, 'tenants.schemas: expected a list of names, or a function that gives one; got nothing'],
    [{ tenants: { schemas: ['a', 'b', 'a'] } }, 'tenants.schemas.2: expected each name once; got "a" again'],
    [{ tenants: { schemas: ['pg_a'] } }, `tenants.schemas.0: expected a schema that is not the server's own; got "pg_a"`, unseen],
    [{ tenants: { schemas: [5] } }, 'tenants.schemas.0: expected text that is not empty; got 5'],
    [{ tenants: { schemas: ['a\0b'] } }, 'tenants.schemas.0: expected a name without a zero byte; got "a\\u0000b"', unseen],
    [{ tenants: { schemas: [], concurrency: 0 } }, 'tenants.concurrency: expected a whole number from 1; got 0'],
    [{ tenants: { schemas: [], onFailure: 'halt' } }, 'tenants.onFailure: expected "stop", "continue" or { max }; got "halt"'],
    [{ tenants: { schemas: [], onFailure: {} } }, 'tenants.onFailure.max: expected a whole number from 1; got undefined'],
    [
      { tenants: { schemas: [] }, migrations: { schemaName: 'app' } },
      'migrations.schemaName: expected nothing together with tenants, each of which has its history in its own schema; got "app"',
      unseen,
    ],
    [{ tenants: { schemas: [] }, replicas: [url] }, 'replicas: expected nothing together with tenants; got a list of 1', unseen],
    [{ baseline: true }, 'baseline: expected text that is not empty; got true'],
    [{ mode: 'aply' }, 'mode: expected "apply", "wait", "verify" or "off"; got "aply"; did you mean "apply"?'],
    [{ mode: url }, 'mode: expected "apply", "wait", "verify" or "off"; got "postgres://app:***@db:5432/clinic"'],
    [{ transaction: false }, 'transaction: expected "each" or "all"; got false'],
    [{ backup: true }, 'backup: expected false, { directory, keepCount } or { command }; got true'],
    [{ backup: {} }, 'backup: expected false, { directory, keepCount } or { command }; got an object with nothing in it'],
    [
      { backup: { directory: 'a', command: 'b' } },
      'backup: expected false, { directory, keepCount } or { command }; got an object with directory, command',
    ],
    [
      { backup: { command: 'b', keepCount: 2 } },
      'backup: expected false, { directory, keepCount } or { command }; got an object with command, keepCount',
    ],
    [{ backup: { directory: '' } }, 'backup.directory: expected text that is not empty; got ""'],
    [{ backup: { directory: 'a', keepCount: 0 } }, 'backup.keepCount: expected a whole number from 1; got 0'],
    [{ backup: { directry: 'a' } }, 'backup.directry: unknown option; did you mean "directory"?'],
    [{ rules: [] }, 'rules: expected an object of rules and levels; got a list'],
    [{ rules: { 'history-edit': 'off' } }, 'rules.history-edit: unknown option; did you mean "history-edited"?'],
    [{ rules: { blockers: 'loud' } }, 'rules.blockers: expected "error", "warn", "info" or "off"; got "loud"'],
    [{ rules: { blockers: { level: 'warning' } } }, 'rules.blockers.level: expected "error", "warn", "info" or "off"; got "warning"'],
    [{ rules: { blockers: { levl: 'warn' } } }, 'rules.blockers.levl: unknown option; did you mean "level"?'],
    [
      { rules: { blockers: { level: 'warn', except: 'a' } } },
      'rules.blockers.except: expected a list of texts that are not empty; got "a"',
    ],
    [{ schema: {} }, 'schema: expected the files of the model, or a snapshot; got none', unseen],
    [{ rules: { 'history-unfinished': 'warn' } }, `${unfinished}; got "warn"`],
    [{ rules: { 'history-unfinished': { level: 'error', except: ['a'] } } }, `${unfinished}; got an object`],
    [{ checks: {} }, 'checks: expected a list of { name, run }; got an object'],
    [{ checks: [{ name: 'a' }] }, 'checks.0: expected an object with the methods run; got an object'],
    [{ checks: [{ name: '', run() {} }] }, 'checks.0.name: expected text that is not empty; got ""'],
    [{ expect: 'clinic' }, 'expect: expected an object of database, systemIdentifier; got "clinic"'],
    [{ expect: { databse: 'a' } }, 'expect.databse: unknown option; did you mean "database"?'],
    [{ expect: { systemIdentifier: 7 } }, 'expect.systemIdentifier: expected digits, as text; got 7'],
    [{ environment: 7 }, 'environment: expected text that is not empty; got 7'],
    [{ application: { nam: 'a' } }, 'application.nam: unknown option; did you mean "name"?'],
    [{ lint: true }, 'lint: expected an object of from, smallTableRows; got true'],
    [{ lint: { smallTableRows: -1 } }, 'lint.smallTableRows: expected a whole number from 0 up; got -1'],
    [{ lint: { fron: 'a' } }, 'lint.fron: unknown option; did you mean "from"?'],
    [{ timeouts: { lockMs: 0 } }, 'timeouts.lockMs: expected milliseconds, a whole number from 1 to 2147483647; got 0'],
    [{ timeouts: { callMs: Infinity } }, 'timeouts.callMs: expected milliseconds, a whole number from 1 to 2147483647; got Infinity'],
    [{ timeouts: { harmMs: 1.5 } }, 'timeouts.harmMs: expected milliseconds, a whole number from 1 to 2147483647; got 1.5'],
    [{ timeouts: { leaseMs: 999 } }, 'timeouts.leaseMs: expected milliseconds, a whole number from 1000 to 2147483647; got 999'],
    [{ timeouts: { lock: 5 } }, 'timeouts.lock: unknown option; did you mean "lockMs"?'],
    [{ backfills: 'backround' }, 'backfills: expected "background", "blocking" or "manual"; got "backround"; did you mean "background"?'],
    [{ throttle: { duty: 0 } }, 'throttle.duty: expected a number above 0, up to 1; got 0'],
    [{ throttle: { replicaLag: 5 } }, 'throttle.replicaLag: unknown option; did you mean "replicaLagMs"?'],
    [{ logger: true }, 'logger: expected an object with the methods debug, info, warn, error; got true'],
    [{ logger: { info() {} } }, 'logger: expected an object with the methods debug, info, warn, error; got an object'],
    [{ signal: {} }, 'signal: expected an AbortSignal; got an object'],
    [{ onProgress: 'log' }, 'onProgress: expected a function; got "log"'],
    [{ Mode: 'apply' }, 'Mode: unknown option; did you mean "mode"?'],
    [{ directory: 'a' }, 'directory: unknown option; did you mean "migrations.directory"?'],
    [{ password: 's3cret' }, 'password: unknown option; did you mean "connection.password"?'],
    ...['shards', 'constructor'].map((name): [unknown, string, string?] => [{ [name]: {} }, `${name}: unknown option`]),
    [{ mod: 'off' }, 'mod: unknown option; did you mean "mode"?'],
  ])('%# %o', (options, problem, seen) => {
    expect(problemsOf(options)).toEqual([problem]);
    const faults = configFaults(options) ?? ['it cannot be written as JSON'];
    expect(faults.length === 0, 'passed by schemas/config.json').toBe(seen === unseen);
  });

  test.each<[NodeJS.ProcessEnv, string]>([
    [{}, 'connection: no database given; set connection or knex, or DATABASE_URL or PGHOST in the environment'],
    [{ DATABASE_URL: 'clinic' }, `DATABASE_URL (environment): expected ${aUrl}; got text that is none`],
    [
      { DATABASE_URL: url, ENSURE_MIGRATED_MODE: 'very' },
      'ENSURE_MIGRATED_MODE (environment): expected "apply", "wait", "verify" or "off"; got "very"; did you mean "verify"?',
    ],
    [
      { DATABASE_URL: url, ENSURE_MIGRATED_DIRECT_URL: 'mysql://s3cret' },
      `ENSURE_MIGRATED_DIRECT_URL (environment): expected ${aUrl}; got one that begins with "mysql:"`,
    ],
  ])('of the environment %o', (variables, problem) => {
    process.env = variables;
    expect(problemsOf({})).toEqual([problem]);
  });

  test('in one error, all of them', () => {
    const options = { connection: 5, mode: 'x', rules: { blockers: 1 }, timeouts: { lockMs: -1, leaseMs: '1s' }, tpyo: 1 };
    expect(problemsOf(options).map((line) => line.slice(0, line.indexOf(':')))).toEqual([
      'tpyo',
      'connection',
      'mode',
      'rules.blockers',
      'timeouts.lockMs',
      'timeouts.leaseMs',
    ]);
  });
});

test.each(Object.keys(optionTable))('the option %s is read', (name) => {
  const [problem] = problemsOf({ ...(name === 'knex' ? {} : { connection: url }), [name]: Symbol('nonsense') });
  expect(problem).toMatch(new RegExp(`^${name}: expected .*; got a symbol$`));
});

test.each(Object.keys(ruleTable))('the rule %s is read', (name) => {
  expect(problemsOf({ rules: { [name]: 'loud' } })).toEqual([`rules.${name}: expected "error", "warn", "info" or "off"; got "loud"`]);
});
