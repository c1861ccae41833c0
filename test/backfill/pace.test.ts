import { expect, test } from 'vitest';
import { halved, nextSize } from '../../src/backfill/pace.js';

test.each([
  ['half of the target: twice as many', 1000, { ms: 100, targetMs: 200 }, 2000],
  ['a tenth of it: no more than twice', 1000, { ms: 20, targetMs: 200 }, 2000],
  ['a quarter too much: a fifth less', 1000, { ms: 250, targetMs: 200 }, 800],
  ['ten times too much: no less than half', 1000, { ms: 2000, targetMs: 200 }, 500],
  ['one row that takes long stays one row', 1, { ms: 2000, targetMs: 200 }, 1],
  ['no more than what memory should hold', 40_000, { ms: 100, targetMs: 200 }, 50_000],
  ['a target shorter than its round trips: not below 100 rows', 100, { ms: 20, targetMs: 5 }, 100],
  ['and back to them after a failure', 1, { ms: 20, targetMs: 5 }, 2],
])('after %s', (_title, size, took, next) => {
  expect(nextSize(size, took)).toBe(next);
});

test('a batch that was taken back comes again with half of its rows, down to one', () => {
  expect([1000, 3, 1].map(halved)).toEqual([500, 1, 1]);
});
