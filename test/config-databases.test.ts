import knexOf from 'knex';
import { describe, expect, test } from 'vitest';
import { problemsOfAll, resolveDatabases, type AllOptions } from '../src/config/index.js';
import { configFaults } from './support/json-schemas.js';
import { problemsIn, secretUrl, withEnvironment } from './support/problems.js';

const url = secretUrl;
withEnvironment({ DATABASE_URL: url });

const problemsOf = (options: unknown) => problemsIn(() => resolveDatabases(options as AllOptions));

const eu = { name: 'eu', connection: url };
const us = { name: 'us', connection: 'postgres://app:s3cret@us/clinic' };
const listed = 'a list of { name, connection, ... }';
const bare = 'databases: expected a connection, or knex, in each entry (DATABASE_URL is not taken for them); got none in';

describe('of several databases a problem is told with the name of its entry', () => {
  test.each<[unknown, string[]]>([
    [[eu], ['options: expected an object with databases; got a list']],
    [{}, [`databases: expected ${listed}; got undefined`]],
    [{ databases: [] }, [`databases: expected ${listed}; got an empty one`]],
    [{ databases: eu }, [`databases: expected ${listed}; got an object`]],
    [{ databases: [url] }, ['databases.0: expected an object of options, with a name; got text']],
    [{ databases: [eu, { connection: url }] }, ['databases.1.name: expected a name without spaces and *; got undefined']],
    [{ databases: [{ ...eu, name: 'eu*' }] }, ['databases.0.name: expected a name without spaces and *; got "eu*"']],
    [{ databases: [eu, us, eu] }, ['databases: expected a name of its own for each; got "eu" twice']],
    [{ databases: [eu, { name: 'us' }, { name: 'ap' }] }, [`${bare} us, ap`]],
    [{ databases: [{ ...eu, mod: 'apply' }] }, ['databases.eu.mod: unknown option; did you mean "mode"?']],
    [
      { databases: [{ ...eu, rules: { 'history-edited': 'loud' } }] },
      ['databases.eu.rules.history-edited: expected "error", "warn", "info" or "off"; got "loud"'],
    ],
    [
      { databases: [{ ...eu, knex: knexOf({ client: 'pg', connection: url }) }] },
      ['databases.eu.knex: expected alone; got it together with connection'],
    ],
    [{ databases: [{ ...eu, logger: false }] }, ['databases.eu.logger: expected beside databases, for all of them; got it here']],
    [{ databases: [eu], connection: url }, ['connection: expected in each entry of databases; got it here']],
    [{ databases: [eu], concurency: 2 }, ['concurency: unknown option; did you mean "concurrency"?']],
    [{ databases: [eu], mode: 'aply' }, ['mode: expected "apply", "wait", "verify" or "off"; got "aply"; did you mean "apply"?']],
    [{ databases: [eu], concurrency: 0 }, ['concurrency: expected a whole number from 1; got 0']],
    [{ databases: [eu], canary: -1 }, ['canary: expected a whole number from 0; got -1']],
    [{ databases: [eu], canary: 'one' }, ['canary: expected a whole number from 0; got "one"']],
    [{ databases: [eu], onFailure: 'go' }, ['onFailure: expected "stop", "continue" or { max }; got "go"']],
    [{ databases: [eu], onFailure: {} }, ['onFailure.max: expected a whole number from 1; got undefined']],
    [{ databases: [eu], onFailure: { max: 1, min: 1 } }, ['onFailure.min: unknown option']],
  ])('%o', (options, problems) => {
    expect(problemsOf(options)).toEqual(problems);
    const isSeen = !/twice|none in us, ap|^databases: .* got undefined/.test(problems.join()); // by an editor
    expect(configFaults(options)?.length !== 0, 'refused by schemas/config.json').toBe(isSeen);
  });

  test('all of them at once, with what the environment says', () => {
    process.env['ENSURE_MIGRATED_MODE'] = 'aply';
    const options = {
      concurrency: 0,
      databases: [
        { ...eu, mode: 'x' },
        { name: 'us', transaction: 'none' },
      ],
    };
    expect(problemsOf(options).map((line) => line.split(':')[0])).toEqual([
      'concurrency',
      'databases.eu.mode',
      'databases.us.transaction',
      'ENSURE_MIGRATED_MODE (environment)',
      'databases',
    ]);
  });

  test('as far as a file can say without the environment', () => {
    expect(problemsOfAll({ canary: -1, mode: 'x', databases: [{ name: 'us', backup: true }] }).map((line) => line.split(':')[0])).toEqual([
      'canary',
      'databases.us.backup',
      'mode',
    ]);
  });
});

test('an entry has what it says, and for the rest what stands beside the list', () => {
  const { databases, ...plan } = resolveDatabases({
    mode: 'verify',
    migrations: './all',
    databases: [eu, { ...us, migrations: './us', mode: undefined }],
    onFailure: { max: 1 },
  });
  expect(plan).toEqual({ shared: { mode: 'verify', migrations: './all' }, concurrency: 4, canary: 0, onFailure: { max: 1 } });
  expect(databases).toEqual([
    { name: 'eu', options: { mode: 'verify', migrations: './all', connection: url } },
    { name: 'us', options: { mode: 'verify', migrations: './us', connection: us.connection } },
  ]);
});

test('in mode off no entry needs a connection', () => {
  expect(problemsOf({ databases: [{ name: 'eu' }], mode: 'off' })).toEqual([]);
  process.env['ENSURE_MIGRATED_MODE'] = 'off';
  expect(problemsOf({ databases: [{ name: 'eu' }, { name: 'us', mode: 'apply' }] })).toEqual([`${bare} us`]);
});
