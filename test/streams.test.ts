import { describe, expect, test } from 'vitest';
import { resolveConfig, type Stream } from '../src/config/index.js';
import { orderStreams } from '../src/streams/order.js';
import { migration } from './comparing.js';

const main = ['10_a.js', '20_b.js', '30_c.js'].map((name) => migration(name));
const own = ['01_x.js', '02_y.js'].map((name) => migration(name));

/** `a: b c@1` as streams, in a line; `main`'s stretches as `main@name`. */
function ordered(...lines: readonly string[]): string {
  const streams = lines.map((line) => {
    const [name = '', after = ''] = line.split(': ');
    const afters = after.split(' ').filter(Boolean);
    return {
      name,
      migrations: own,
      after: afters.map((each) => ({ stream: each.split('@')[0] ?? '', revision: each.split('@')[1] })),
    };
  });
  return orderStreams(streams, main)
    .map(({ stream, to }) => (to === 'head' ? stream : `${stream}@${to.to}`))
    .join(' ');
}

describe('the order of streams', () => {
  test.each([
    ['none', [], 'main'],
    ['each before the application', ['jobs', 'audit'], 'jobs audit main'],
    ['after another one', ['jobs: audit', 'audit'], 'audit jobs main'],
    ['after a revision of another one', ['jobs: audit@01', 'audit'], 'audit jobs main'],
    ['after several', ['a: b c', 'b: c', 'c'], 'c b a main'],
    ['after a revision of the application', ['audit: main@20_b', 'jobs'], 'jobs main@20_b.js audit main'],
    ['after one that comes after it', ['jobs: audit', 'audit: main@10'], 'main@10_a.js audit jobs main'],
    ['after the later of two revisions', ['a: main@10 main@20_b'], 'main@20_b.js a main'],
    ['at several stops', ['a: main@20_b', 'b: main@10', 'c'], 'c main@10_a.js b main@20_b.js a main'],
    ['after the whole of the application', ['a: main', 'b: a'], 'main a b'],
    ['after its last revision', ['a: main@30'], 'main@30_c.js a main'],
  ])('%s', (_what, lines, order) => {
    expect(ordered(...lines)).toBe(order);
  });

  test.each([
    ['a circle', ['a: b', 'b: c', 'c: a'], 'the streams go round in a circle: a after b after c after a'],
    ['itself', ['a: a'], 'a after a'],
    ['a revision that is none', ['a: main@40'], 'the stream a comes after main@40, which is none of the migrations of main'],
    ['a revision of another stream that is none', ['a: b@nope', 'b'], 'b@nope, which is none of the migrations of b'],
    ['a part of several names', ['a: main@0_'], 'or several'],
  ])('%s is refused', (_what, lines, message) => {
    expect(() => ordered(...lines)).toThrow(message);
  });
});

describe('the option streams', () => {
  const problems = (streams: unknown, rest: object = {}) => {
    try {
      resolveConfig({ connection: 'postgres://localhost/none', streams: streams as Stream[], ...rest });
      return [];
    } catch (error) {
      return (error as Error).message.split('\n  ').slice(1, -1);
    }
  };

  test.each([
    ['no list', {}, 'streams: expected a list of { name, migrations, after, baseline }; got an object'],
    ['no object', ['audit'], 'streams.0: expected an object { name, migrations, after, baseline }; got "audit"'],
    ['nothing in it', [{}], 'streams.0.name: expected something; got nothing'],
    ['an unknown key', [{ name: 'a', migrations: 'm', afer: [] }], 'streams.0.afer: unknown option; did you mean "after"?'],
    [
      'the name main',
      [{ name: 'main', migrations: 'm' }],
      `streams.0.name: expected a name of its own: the application's migrations are called so; got "main"`,
    ],
    ['a name with a space', [{ name: 'a b', migrations: 'm' }], 'streams.0.name: expected up to 40 letters, digits, and _ . -; got "a b"'],
    [
      'a name twice',
      [
        { name: 'a', migrations: 'm' },
        { name: 'a', migrations: { directory: 'n', tableName: 'other' } },
      ],
      'streams.1.name: expected each name once; got "a" again',
    ],
    [
      'a table twice',
      [
        { name: 'a', migrations: 'm' },
        { name: 'b', migrations: { directory: 'n', tableName: 'a_migrations' } },
      ],
      'streams.1.migrations: expected a history table of its own; got a_migrations, which is that of a',
    ],
    [
      "the application's table",
      [{ name: 'knex', migrations: 'm' }],
      'streams.0.migrations: expected a history table of its own; got knex_migrations, which is that of main',
    ],
    ['after what is not there', [{ name: 'a', migrations: 'm', after: ['b@1'] }], 'streams.0.after: expected one of main, a; got "b"'],
    [
      'after half of a revision',
      [{ name: 'a', migrations: 'm', after: ['main@'] }],
      'streams.0.after.0: expected a stream, or stream@revision; got "main@"',
    ],
  ])('with %s is refused', (_what, streams, problem) => {
    expect(problems(streams)).toContain(problem);
  });

  test('takes one table name in two schemas for two histories', () => {
    expect(problems([{ name: 'knex', migrations: { directory: 'm', schemaName: 'package' } }])).toEqual([]);
  });
});
