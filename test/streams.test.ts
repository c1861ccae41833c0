import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { resolveConfig, type Options } from '../src/config/index.js';
import { MigrationError } from '../src/errors.js';
import { migrationId, type Migration } from '../src/source/index.js';
import { streamsOf } from '../src/streams/index.js';
import { orderStreams, type Ordered } from '../src/streams/order.js';

/** `audit(1,2) after core@2`, `main(1)`: names, migrations, and what they come after. */
function streamOf(text: string): Ordered {
  const [, name = '', names = '', after = ''] = /^([\w-]+)\(([^)]*)\)(?: after (.*))?$/.exec(text) ?? [];
  const pairs = after === '' ? [] : after.split(' ').map((each) => each.split('@'));
  return {
    name,
    after: pairs.map(([stream = '', revision]) => ({ stream, revision })),
    migrations: names.split(',').map((each) => ({ name: `${each}.js`, id: migrationId(`${each}.js`) }) as Migration),
  };
}

const ordered = (...streams: string[]) =>
  orderStreams(streams.map(streamOf)).map(({ stream, to }) => (to === 'head' ? stream : `${stream}@${to.to}`));

function refusalOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    expect(error.code).toBe('EM_CONFIG_INVALID');
    return error.message.split('\n  ').slice(1, -1);
  }
  throw new Error('it was not refused');
}

describe('the order', () => {
  test.each<[string, string[], string[]]>([
    ['main alone', ['main(1)'], ['main']],
    ['main last, the others as they are listed', ['b(1)', 'a(1)', 'main(1)'], ['b', 'a', 'main']],
    ['all of another stream first', ['audit(1) after core', 'core(1)', 'main(1)'], ['core', 'audit', 'main']],
    [
      'another stream up to a revision first, the rest of it later',
      ['audit(1) after core@1', 'core(1,2)', 'main(1)'],
      ['core@1.js', 'audit', 'core', 'main'],
    ],
    ['main up to a revision, the stream, the rest of main', ['audit(1) after main@1', 'main(1,2)'], ['main@1.js', 'audit', 'main']],
    ['all of main before a stream that says so', ['jobs(1) after main', 'core(1)', 'main(1)'], ['core', 'main', 'jobs']],
    ['streams that wait for each other in turns', ['a(1,2) after main@1', 'b(1) after a', 'main(1,2)'], ['main@1.js', 'a', 'b', 'main']],
    [
      'two revisions of one stream, in its own order',
      ['late(1) after main@3', 'early(1) after main@1', 'main(1,2,3)'],
      ['main@1.js', 'early', 'main@3.js', 'late', 'main'],
    ],
    ['a revision by its name with the extension', ['a(1) after main@1.js', 'main(1,2)'], ['main@1.js', 'a', 'main']],
    ['a revision by a part that only its name has', ['a(1) after main@use', 'main(1_users,2)'], ['main@1_users.js', 'a', 'main']],
  ])('%s', (_title, streams, expected) => {
    expect(ordered(...streams)).toEqual(expected);
  });

  test('a revision that a squash replaces is that of the squash', () => {
    const squash = {
      name: '3_squash.js',
      id: '3_squash',
      replaces: [{ id: '1_old', name: '1_old.js', standsFor: 'itself' }],
    } as unknown as Migration;
    const main = { name: 'main', after: [], migrations: [squash, { name: '4.js', id: '4' } as Migration] };
    expect(orderStreams([streamOf('a(1) after main@1_old'), main]).map(({ to }) => to)).toEqual([{ to: '3_squash.js' }, 'head', 'head']);
  });

  test.each<[string, string[], string[]]>([
    ['a circle', ['a(1) after b', 'b(1) after a', 'main(1)'], ['a -> b -> a']],
    ['a circle of three', ['a(1) after b', 'b(1) after c', 'c(1) after a', 'main(1)'], ['a -> b -> c -> a']],
    ['a circle through a revision', ['a(1,2) after b@1', 'b(1,2) after a', 'main(1)'], ['a -> b -> a']],
    ['a stream after itself', ['a(1) after a', 'main(1)'], ['a -> a']],
    ['a stream after a revision of its own', ['a(1,2) after a@1', 'main(1)'], ['a -> a']],
    ['two circles at once', ['a(1) after b', 'b(1) after a', 'c(1) after d', 'd(1) after c', 'main(1)'], ['a -> b -> a', 'c -> d -> c']],
  ])('%s: named in full', (_title, streams, circles) => {
    const problems = circles.map((each) => `streams: expected an order; got a circle of after: ${each}`);
    expect(refusalOf(() => ordered(...streams))).toEqual(problems);
  });

  test('revisions that are not there, or are not one, are all named', () => {
    expect(refusalOf(() => ordered('a(1) after core@9 main@user', 'core(1)', 'main(1_users,2_users)'))).toEqual([
      'streams.a.after: expected a revision of core; got "9", which names no migration there',
      'streams.a.after: expected a revision of main; got "user", which names several: 1_users.js, 2_users.js',
    ]);
  });
});

describe('the option streams', () => {
  const connection = 'postgres://app@db/clinic';
  const problemsOf = (options: unknown) => refusalOf(() => resolveConfig({ connection, ...(options as Options) }));

  test('takes what a package exports: a file URL of its directory, or modules', () => {
    const directory = pathToFileURL('/packages/audit/migrations');
    const modules = { '1.js': { up: () => undefined } };
    const { streams } = resolveConfig({
      connection,
      streams: [
        { name: 'audit', migrations: directory, after: ['jobs', 'main@2026_users'] },
        { name: 'jobs', migrations: { modules, tableName: 'queue', schemaName: 'queues' } },
      ],
    });
    expect(streams).toEqual([
      {
        name: 'audit',
        migrations: { tableName: 'audit_migrations', directory: ['/packages/audit/migrations'] },
        after: [
          { stream: 'jobs', revision: undefined },
          { stream: 'main', revision: '2026_users' },
        ],
      },
      { name: 'jobs', migrations: { tableName: 'queue', schemaName: 'queues', modules }, after: [] },
    ]);
  });

  test('tells all that is wrong at once', () => {
    const migrations = './migrations';
    expect(
      problemsOf({
        streams: [
          { name: 'main', migrations },
          { name: 'a b', migrations },
          { name: 'core' },
          { name: 'audit', migrations, after: ['audits', 'nobody@1'] },
          { name: 'audit', migrations: { directory: migrations, tableName: 'audit_log' } },
          { name: 'jobs', migrations: { directory: migrations, tableName: 'knex_migrations' } },
          { name: 'queue', migrations: { directory: migrations, tableName: 'audit_log_journal' }, afters: [] },
        ],
      }),
    ).toEqual([
      'streams.0.name: expected a name other than "main", of at most 40 letters, digits, _ and -; got "main"',
      'streams.1.name: expected a name other than "main", of at most 40 letters, digits, _ and -; got "a b"',
      'streams.2.migrations: expected a value; got nothing',
      'streams.6.afters: unknown option; did you mean "after"?',
      'streams.audit.after: expected one of main, audit, jobs, queue; got "audits"; did you mean "audit"?',
      'streams.audit.after: expected one of main, audit, jobs, queue; got "nobody"',
      'streams.audit: expected a name of its own; got "audit" twice',
      'streams.jobs.migrations.tableName: expected a history of its own; got "knex_migrations", of main too',
      'streams.queue.migrations.tableName: expected a history of its own; got "audit_log_journal", of audit too',
    ]);
  });

  test('is not a list: refused', () => {
    expect(problemsOf({ streams: {} })).toEqual(['streams: expected a list of { name, migrations, after }; got an object']);
  });
});

describe('streamsOf', () => {
  test('gives plain options of each stream in their order, those of main among them', () => {
    const options: Options = {
      migrations: { directory: '/app/migrations', schemaName: 'app' },
      baseline: '1',
      schema: '/app/model.sql',
      lint: { from: '2', smallTableRows: 5 },
      streams: [
        { name: 'audit', migrations: '/audit', after: ['main@1'] },
        { name: 'core', migrations: { directory: '/core', schemaName: 'core' } },
      ],
    };
    const [core, audit, main, ...others] = streamsOf(options);
    expect(others).toEqual([]);
    const rules = { 'schema-drift': 'off' };
    const { streams: _, ...own } = options;
    expect(core).toEqual({
      name: 'core',
      options: {
        rules,
        lint: { smallTableRows: 5 },
        migrations: { directory: [path.resolve('/core')], tableName: 'core_migrations', schemaName: 'core' },
      },
    });
    expect(audit).toMatchObject({ name: 'audit', options: { migrations: { tableName: 'audit_migrations', schemaName: 'app' } } });
    expect(main).toEqual({ name: 'main', options: { ...own, rules } });
  });

  test('gives none where the options name none', () => {
    expect(streamsOf({ connection: 'postgres://app@db/clinic' })).toEqual([]);
  });
});
