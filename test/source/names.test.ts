import { expect, test } from 'vitest';
import { lineAt, migrationId, recordedName } from '../../src/source/index.js';

test.each([
  ['0001_a.js', '0001_a'],
  ['0001_a.ts', '0001_a'],
  ['0001_a.mjs', '0001_a'],
  ['0001_a.cjs', '0001_a'],
  ['0001_a.mts', '0001_a'],
  ['0001_a.cts', '0001_a'],
  ['0001_a.sql', '0001_a.sql'],
  ['0001_a.up.sql', '0001_a.up.sql'],
  ['0001_a.coffee', '0001_a.coffee'],
  ['1.0.0_a', '1.0.0_a'],
])('%s is compared as %s', (name, id) => {
  expect(migrationId(name)).toBe(id);
});

test.each([
  ['its own in an empty history', '2.js', [], '2.js'],
  ['.ts where all of the history is .ts', '2.js', ['0.ts', '1.ts'], '2.ts'],
  ['.js where all of the history is .js', '2.ts', ['0.js'], '2.js'],
  ['.js for a module without an extension', '2', ['0.js'], '2.js'],
  ['none where the history has none', '2.js', ['0', '1'], '2'],
  ['its own in a mixed history', '2.mjs', ['0.js', '1.ts'], '2.mjs'],
  ['.ts beside .sql files, which have one form only', '2.js', ['0.ts', '1.sql', '1b.up.sql'], '2.ts'],
  ['a .sql name as it is', '2.sql', ['0.ts'], '2.sql'],
  ['a .coffee name as it is', '2.coffee', ['0.ts'], '2.coffee'],
])('a name is recorded with %s', (_which, name, existing, recorded) => {
  expect(recordedName(name, existing, [])).toBe(recorded);
});

test.each([
  ['its own where the history has its kind under its own name', '2.ts', ['0.js', '1.ts'], ['0.js', '1.ts'], '2.ts'],
  ['its own where the history has another kind under its own name', '2.ts', ['0.js'], ['0.js'], '2.ts'],
  ['.ts where a build made .js of them', '2.js', ['0.ts', '1.ts'], ['0.js', '1.js'], '2.ts'],
  ['.ts where a build made .js of all but old ones', '2.js', ['0.ts'], ['0.js', '00.mjs'], '2.ts'],
  ['its own where the history has its kind under two forms', '2.js', ['0.ts', '1.js'], ['0.js', '1.js'], '2.js'],
  ['none where the files are modules without one', '2', ['0'], ['0'], '2'],
  ['.js for a module whose elder was a file', '2', ['0.js'], ['0'], '2.js'],
])('beside the files of the code a name is recorded with %s', (_which, name, existing, files, recorded) => {
  expect(recordedName(name, existing, [...files, name])).toBe(recorded);
});

test.each([
  [1, 1],
  [4, 1], // the line break itself
  [5, 2],
  [8, 3],
  [99, 3],
])('position %i is in line %i', (position, line) => {
  expect(lineAt('abc\nde\nf', position)).toBe(line);
});

test('a position counts characters, not UTF-16 units', () => {
  expect(lineAt('😀😀\nx', 4)).toBe(2);
  expect(lineAt('a\r\nb', 4)).toBe(2);
});
