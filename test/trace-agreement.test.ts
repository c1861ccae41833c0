import { describe, expect, test } from 'vitest';
import type { ForeseenEffect } from '../src/lint/index.js';
import { compareWithTrace } from '../src/trace-agreement.js';
import type { TracedStatement } from '../src/trace/index.js';

const text = 'alter table orders alter column total type bigint';
const quiet: TracedStatement = {
  ...{ sql: text, place: '/m/01.sql:3', durationMs: 1, locksFrom: 'server' },
  ...{ locks: [], held: [], rewritten: [], scanned: [], indexesBuilt: [] },
};
const exclusive = [{ table: 'public.orders', mode: 'ACCESS EXCLUSIVE' }] as const;
const orders = (mode: ForeseenEffect['mode'], work?: ForeseenEffect['work'], more: Partial<ForeseenEffect> = {}): ForeseenEffect => {
  return { schema: 'public', table: 'orders', state: 'old', mode, work, doubtful: undefined, ...more };
};

interface Case {
  readonly foreseen: readonly ForeseenEffect[];
  readonly seen: Partial<TracedStatement>;
}

/** What differs, with its level. */
function differencesOf({ foreseen, seen }: Case): string[] {
  const traced = [{ ...quiet, ...seen }];
  const findings = compareWithTrace({ foreseen: [{ text, effects: foreseen }], traced, at: { migration: '01.sql', file: '/m/01.sql' } });
  expect(findings.every(({ at }) => at?.line === 3)).toBe(true);
  return findings.map(({ level, message }) => `${level} ${message.slice(message.indexOf(': ') + 2)}`);
}

describe('what the server did is held against what was foreseen', () => {
  const rewrite = orders('ACCESS EXCLUSIVE', 'rewrite');
  const locked = { locks: exclusive, held: exclusive };
  const index = { table: 'public.orders', mode: 'ACCESS EXCLUSIVE', index: 'public.orders_pkey' } as const;

  test.each<[string, Case, string[]]>([
    ['the same', { foreseen: [rewrite], seen: { ...locked, rewritten: ['public.orders'], indexesBuilt: ['public.i'] } }, []],
    ['a lock that was held already', { foreseen: [orders('ACCESS EXCLUSIVE')], seen: { held: exclusive } }, []],
    [
      'a rewrite where a scan was foreseen',
      { foreseen: [orders('ACCESS EXCLUSIVE', 'scan')], seen: { ...locked, rewritten: ['public.orders'] } },
      ['warn rewrites public.orders'],
    ],
    [
      'a scan under its lock',
      { foreseen: [orders('ACCESS EXCLUSIVE')], seen: { ...locked, scanned: ['public.orders'] } },
      ['warn scans public.orders'],
    ],
    ['a scan of a table that is only read', { foreseen: [], seen: { scanned: ['public.orders'] } }, []],
    ['a stronger lock', { foreseen: [orders('SHARE')], seen: locked }, ['warn takes ACCESS EXCLUSIVE on public.orders']],
    ['a lock of an index', { foreseen: [], seen: { locks: [index] } }, []],
    [
      'an index that nobody foresaw',
      { foreseen: [orders('SHARE')], seen: { indexesBuilt: ['public.i'] } },
      ['warn builds public.i', 'info take SHARE on public.orders'],
    ],
    ['no rewrite', { foreseen: [rewrite], seen: locked }, ['info rewrite public.orders']],
    ['no scan, of a table that is new', { foreseen: [orders('ACCESS EXCLUSIVE', 'scan', { state: 'born' })], seen: locked }, []],
    ['no scan, where that was doubtful', { foreseen: [orders('ACCESS EXCLUSIVE', 'scan', { doubtful: true })], seen: locked }, []],
    ['no index', { foreseen: [orders('SHARE', 'index')], seen: { ...locked, locks: [] } }, ['info build an index on public.orders']],
    [
      'a name that must be quoted',
      { foreseen: [orders('SHARE', undefined, { table: 'Orders' })], seen: { held: [{ table: 'public."Orders"', mode: 'SHARE' }] } },
      [],
    ],
    ['locks by the manual alone', { foreseen: [orders('SHARE UPDATE EXCLUSIVE', 'index')], seen: { locksFrom: 'statement' } }, []],
    ['a statement that failed', { foreseen: [rewrite], seen: { error: { code: '23514', message: 'no' } } }, []],
    ['one of which nothing is known', { foreseen: [rewrite], seen: { locksFrom: 'unknown' } }, []],
  ])('%s', (_what, given, expected) => {
    expect(differencesOf(given)).toEqual(expected);
  });

  test('two statements with one text are two', () => {
    const foreseen = [
      { text, effects: [rewrite] },
      { text, effects: [] },
    ];
    const traced = [{ ...quiet, ...locked, rewritten: ['public.orders'] }, quiet];
    expect(compareWithTrace({ foreseen, traced, at: {} })).toEqual([]);
  });
});
