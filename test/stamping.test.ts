import { describe, expect, test } from 'vitest';
import type { Target } from '../src/plan.js';
import { migrationId, type Migration } from '../src/source/index.js';
import { compare } from '../src/state.js';
import { planStamp, type StampingRequest } from '../src/stamping.js';
import { only } from './checks/fixture.js';
import { resolveConfig } from '../src/config/index.js';

const migrations = ['01_a.js', '02_b.js', '03_c.js', '04_d.sql'].map((name) => ({ name, id: migrationId(name) }) as Migration);
const { rules } = resolveConfig({ connection: 'postgres://localhost/none', rules: only({}) });

function plan(applied: readonly string[], target: Target, history: StampingRequest['history'] = 'must-be-sound') {
  const state = compare({ migrations, applied, journal: [], owner: undefined, mode: 'apply', rules });
  const { recorded, ...stamping } = planStamp({ target, history, state, migrations });
  return { ...stamping, recorded: recorded.map(({ name }) => name) };
}

describe('a stamp', () => {
  test.each<[string, readonly string[], Target, readonly string[], readonly string[]]>([
    ['forward from nothing', [], { to: '02' }, ['01_a.js', '02_b.js'], []],
    ['forward to head', ['01_a.js'], 'head', ['02_b.js', '03_c.js', '04_d.sql'], []],
    ['backward', ['01_a.js', '02_b.js', '03_c.js'], { to: '01_a.ts' }, [], ['02_b.js', '03_c.js']],
    ['to base', ['01_a.js', '02_b.js'], 'base', [], ['01_a.js', '02_b.js']],
    ['to where it stands', ['01_a.js'], { to: '01_a' }, [], []],
    ['in the form of the history', ['01_a.ts'], { to: '02' }, ['02_b.ts'], []],
    ['over a hole, and back', ['01_a.js', '04_d.sql'], { to: '02' }, ['02_b.js'], ['04_d.sql']],
  ])('%s', (_what, applied, target, recorded, unrecorded) => {
    const after = [...applied.filter((name) => !unrecorded.includes(name)), ...recorded];
    expect(plan(applied, target)).toEqual({ before: applied, after, recorded, unrecorded, repeated: [], moved: [] });
  });
  test('keeps the order in which the migrations ran, unless what is recorded comes before them', () => {
    expect(plan(['02_b.js', '01_a.js'], { to: '03' })).toMatchObject({ after: ['02_b.js', '01_a.js', '03_c.js'], moved: [] });
    expect(plan(['01_a.js', '03_c.js'], { to: '03' })).toMatchObject({
      after: ['01_a.js', '02_b.js', '03_c.js'],
      recorded: ['02_b.js'],
      moved: ['03_c.js'],
    });
  });
  test.each([
    [['01_a.js', '00_gone.js'], /not among the files: 00_gone\.js/],
    [['01_a.js', '05_newer.js'], /not among the files: 05_newer\.js/],
    [['01_a.js', '01_a.js'], /repeat others: 01_a\.js/],
  ])('on a history of %j is refused with the way out', (applied, message) => {
    expect(() => plan(applied, 'head')).toThrow(
      expect.objectContaining({ code: 'EM_PLAN_REFUSED', remedy: expect.stringContaining('purge') as string }),
    );
    expect(() => plan(applied, 'head')).toThrow(message);
  });
  test('that purges takes out what is wrong, and only that', () => {
    const applied = ['00_gone.js', '01_a.js', '01_a.ts', '01_a.js', '02_b.js', '03_c.js', '03_c.js', '05_newer.js', '05_newer.js'];
    expect(plan(applied, { to: '02' }, 'purge')).toEqual({
      before: applied,
      after: ['01_a.js', '02_b.js'],
      recorded: [],
      unrecorded: ['00_gone.js', '03_c.js', '05_newer.js'],
      repeated: [['01_a.js', '01_a.ts']],
      moved: [],
    });
  });
  test.each<[Target, RegExp]>([
    [{ to: '0' }, /names several migrations/],
    [{ to: 'nothing' }, /names no migration/],
    [{ steps: 1 }, /a stamp takes no number of steps/],
  ])('to %j is refused', (target, message) => {
    expect(() => plan(['01_a.js'], target)).toThrow(message);
  });
});
