import { expect, test } from 'vitest';
import { compressLines, expandLines, fingerprint, isSameSchema, type Line, type Schema } from '../../src/schema/index.js';

const table: Line = { kind: 'table', identity: 'public.orders', parent: 'public', definition: 'with (fillfactor=70)' };
const body: Line = { kind: 'view body', identity: 'public.names', parent: 'public.names', definition: 'SELECT a.b\n  FROM a' };
const schema = (lines: readonly Line[], serverVersion = 150000): Schema => ({ serverVersion, lines });
const otherBody = { ...body, definition: 'SELECT b\n  FROM a' };

test('a body changes the hash of the views alone', () => {
  const [before, after] = [fingerprint(schema([table, body])), fingerprint(schema([table, otherBody]))];
  expect(after.core).toBe(before.core);
  expect(after.views).not.toBe(before.views);
});

test.each(['kind', 'identity', 'definition'] as const)('another %s changes the core', (field) => {
  expect(fingerprint(schema([{ ...table, [field]: 'other' }])).core).not.toBe(fingerprint(schema([table])).core);
});

test('text does not move from one field or line into the next unseen', () => {
  const split = (kind: string, identity: string): Line => ({ kind, identity, parent: '', definition: '' });
  expect(fingerprint(schema([split('ab', 'c')])).core).not.toBe(fingerprint(schema([split('a', 'bc')])).core);
});

test.each([
  ['one version', 150000, 150000, false],
  ['14 and 15', 140000, 150000, false],
  ['16 and 18', 160000, 180000, false],
  ['15 and 16', 150000, 160000, true],
])('with other bodies, %s: the same schema is %s', (_, a, b, same) => {
  expect(isSameSchema(fingerprint(schema([table, body], a)), fingerprint(schema([table, otherBody], b)))).toBe(same);
  expect(isSameSchema(fingerprint(schema([table], a)), fingerprint(schema([body], b)))).toBe(false);
});

test('lines come back from the journal as they went in', async () => {
  const lines = [table, body, { ...table, definition: `'ä' \u{1f600} "quoted" \\` }];
  const text = await compressLines(lines);
  expect(text).toMatch(/^[\w+/]+=*$/);
  expect(await expandLines(text)).toEqual(lines);
});

test('a damaged text is refused', async () => {
  await expect(expandLines('bm90IGRlZmxhdGVk')).rejects.toThrow('incorrect header check');
});
