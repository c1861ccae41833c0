import { describe, expect, test } from 'vitest';
import { diffSchema, renderChange, type Line, type Schema } from '../../src/schema/index.js';

const line = (kind: string, identity: string, definition = '', parent = ''): Line => ({ kind, identity, parent, definition });
const schema = (lines: readonly Line[], serverVersion = 180000): Schema => ({ serverVersion, lines });

const table = line('table', 'public.orders', '', 'public');
const column = line('column', 'public.orders.email', 'text', 'public.orders');

test('equal schemas do not differ', () => {
  expect(diffSchema(schema([table, column]), schema([column, table]))).toEqual([]);
});

test('a change names the object and gives both definitions', () => {
  expect(diffSchema(schema([table, column]), schema([table, { ...column, definition: 'text not null' }]))).toEqual([
    { action: 'changed', kind: 'column', identity: 'public.orders.email', stored: 'text', live: 'text not null' },
  ]);
});

test('what goes with an added or dropped object is not listed', () => {
  const parts = [
    table,
    column,
    line('grant', 'column public.orders.email to PUBLIC', 'SELECT', 'public.orders.email'),
    line('comment', 'table public.orders', 'text', 'public.orders'),
  ];
  const change = { kind: 'table', identity: 'public.orders' };

  expect(diffSchema(schema([]), schema(parts))).toEqual([{ ...change, action: 'added', stored: undefined, live: '' }]);
  expect(diffSchema(schema(parts), schema([]))).toEqual([{ ...change, action: 'dropped', stored: '', live: undefined }]);
});

test('an object of another kind and the same name is another object', () => {
  const view = { ...table, kind: 'view' };
  expect(diffSchema(schema([table]), schema([view])).map(({ action, kind }) => [action, kind])).toEqual([
    ['dropped', 'table'],
    ['added', 'view'],
  ]);
});

describe('between versions of the server', () => {
  const body = (definition: string): Line => line('view body', 'public.v', definition, 'public.v');
  const differs = (a: Schema, b: Schema): boolean => diffSchema(a, b).length > 0;

  test.each([
    [140000, 150000, true],
    [160000, 180000, true],
    [150000, 160000, false],
    [180000, 140000, false],
  ])('bodies of views in %i and %i are compared: %s', (a, b, compared) => {
    expect(differs(schema([body('select t.a from t')], a), schema([body('select a from t')], b))).toBe(compared);
  });

  const grant = (definition: string): Line => line('grant', 'table public.orders to PUBLIC', definition, 'public.orders');

  test.each([
    ['ALL', 'ALL', false],
    ['ALL', 'DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE', false],
    ['SELECT', 'MAINTAIN, SELECT', false],
    ['DELETE, SELECT', 'DELETE, MAINTAIN, SELECT', false],
    ['DELETE', 'DELETE, MAINTAIN WITH GRANT OPTION', false],
    ['SELECT', 'MAINTAIN, SELECT, UPDATE', true],
  ])('%s in 16 and %s in 17 differ: %s', (before, after, expected) => {
    expect(differs(schema([grant(before)], 160000), schema([grant(after)], 170000))).toBe(expected);
    expect(differs(schema([grant(after)], 170000), schema([grant(before)], 160000))).toBe(expected);
  });

  test('a grant of MAINTAIN alone counts where both sides know it', () => {
    expect(differs(schema([], 160000), schema([grant('MAINTAIN')], 170000))).toBe(false);
    expect(differs(schema([], 170000), schema([grant('MAINTAIN')], 180000))).toBe(true);
  });
});

test.each([
  [schema([]), schema([table]), 'table public.orders was added'],
  [schema([table]), schema([]), 'table public.orders was dropped'],
  [schema([column]), schema([{ ...column, definition: 'int' }]), 'column public.orders.email was changed: was `text`, is `int`'],
  [
    schema([line('function', 'f()', 'begin\n  return 1;\nend')]),
    schema([line('function', 'f()', 'begin\n  return 2;\nend')]),
    'function f() was changed: line 2 of its definition was `  return 1;`, is `  return 2;`',
  ],
  [
    schema([line('function', 'f()', 'a\nb')]),
    schema([line('function', 'f()', 'a\nb\nc')]),
    'function f() was changed: line 3 of its definition was empty, is `c`',
  ],
  [schema([table]), schema([{ ...table, definition: 'unlogged' }]), 'table public.orders was changed: was empty, is `unlogged`'],
])('a change is told in a sentence (%#)', (stored, live, sentence) => {
  expect(diffSchema(stored, live).map(renderChange)).toEqual([sentence]);
});

test('a long line is cut', () => {
  const long = { ...column, definition: 'x'.repeat(1000) };
  const [change] = diffSchema(schema([column]), schema([long]));
  expect(change && renderChange(change)).toContain(`is \`${'x'.repeat(300)}...\``);
});
