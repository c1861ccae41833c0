import { describe, expect, test } from 'vitest';
import { migrationId, type Migration } from '../src/source/index.js';
import { baselineOf, type State } from '../src/state.js';

const code = ['01_a.js', '02_b.js', '03_c.js'];
const migrations = code.map((name) => ({ name, id: migrationId(name) }) as Migration);

function upTo(baseline: string | undefined, { applied = [], unmanaged = ['patients'] }: Partial<State> = {}): string[] {
  return baselineOf({ baseline }, { applied, unmanaged } as unknown as State, migrations).map(({ name }) => name);
}

describe('a baseline', () => {
  test.each([
    ['02_b.js', ['01_a.js', '02_b.js']],
    ['02_b', ['01_a.js', '02_b.js']],
    ['02_b.ts', ['01_a.js', '02_b.js']],
    ['02', ['01_a.js', '02_b.js']],
    ['03_c', code],
  ])('%s takes the migrations up to it', (baseline, expected) => {
    expect(upTo(baseline)).toEqual(expected);
  });
  test('takes none when it is not asked for, on an empty database, and where there is a history', () => {
    expect(upTo(undefined)).toEqual([]);
    expect(upTo('02_b', { unmanaged: [] })).toEqual([]);
    expect(upTo('02_b', { applied: ['01_a.js'] })).toEqual([]);
  });
  test.each([
    ['04', `baseline '04' names no migration`],
    ['0', `baseline '0' names several migrations (01_a.js, 02_b.js, 03_c.js)`],
  ])('%s is refused', (baseline, sentence) => {
    expect(() => upTo(baseline)).toThrow(
      expect.objectContaining({ code: 'EM_PLAN_REFUSED', message: expect.stringContaining(sentence) as string }),
    );
  });
});
