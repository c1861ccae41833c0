import { describe, expect, test } from 'vitest';
import { digestOf } from '../src/history/index.js';
import { code, comparing, entry, migration, owner } from './comparing.js';

describe('code and database', () => {
  test('match when every migration is applied and the last run ended well', () => {
    expect(comparing()).toMatchObject({ inSync: true, findings: [], pending: [], revision: '03_c.js' });
  });
  test('do not match while there is no history, and base has no revision', () => {
    expect(comparing({ applied: undefined, owner: undefined, journal: [] })).toMatchObject({ inSync: false, revision: undefined });
    expect(comparing({ applied: [], owner: undefined, journal: [] })).toMatchObject({ inSync: false, revision: undefined });
  });
  test('match under names of other extensions', () => {
    expect(comparing({ applied: ['01_a.ts', '02_b', '03_c.mjs'], journal: [] }).inSync).toBe(true);
  });
  test('match without an owner: knex alone has migrated here', () => {
    expect(comparing({ owner: undefined, journal: [] }).inSync).toBe(true);
  });
});

describe('ahead', () => {
  const journal = [entry('04_d.js', { breaking: false })];
  test.each(['apply', 'wait', 'verify'] as const)('by compatible migrations passes in mode %s', (mode) => {
    expect(comparing({ mode, applied: [...code, '04_d.js'], journal })).toMatchObject({ inSync: true, ahead: ['04_d.js'], findings: [] });
  });
  test('is compared by the name without its extension', () => {
    expect(comparing({ applied: [...code, '04_d.ts'], journal }).inSync).toBe(true);
  });
  test('of what is pending makes that out of order', () => {
    const state = comparing({ applied: ['01_a.js', '02_b.js', '04_d.js'], journal });
    expect(state).toMatchObject({ outOfOrder: ['03_c.js'], ahead: ['04_d.js'], inSync: false });
  });
  test('without a journal is undecided until it was read, and breaking where there is none', () => {
    expect(comparing({ applied: [...code, '04_d.js'], journal: undefined })).toMatchObject({ undecided: true, inSync: false });
    expect(comparing({ applied: [...code, '04_d.js'], journal: [] })).toMatchObject({ undecided: false, inSync: false });
  });
});

describe('edited', () => {
  const checksums = new Map(code.map((name) => [name, `js:${name}`]));
  const digest = digestOf(code, (name) => checksums.get(name));
  const edits = code.map((name) => migration(name, name === '02_b.js' ? 'js:edited' : undefined));

  test('is seen in the digest alone, and then the journal says which', () => {
    expect(comparing({ journal: undefined, owner: { ...owner, digest } })).toMatchObject({ inSync: true, undecided: false });
    expect(comparing({ journal: undefined, owner: { ...owner, digest }, migrations: edits })).toMatchObject({
      inSync: false,
      undecided: true,
    });
    expect(comparing({ owner: { ...owner, digest }, migrations: edits })).toMatchObject({ inSync: false, edited: ['02_b.js'] });
  });
  test('does not count what the journal has no checksum of', () => {
    const unknown = digestOf(code, (name) => (name === '02_b.js' ? undefined : checksums.get(name)));
    expect(comparing({ journal: undefined, owner: { ...owner, digest: unknown, unknown: ['02_b.js'] }, migrations: edits }).inSync).toBe(
      true,
    );
  });
  test.each([
    ['.ts was recorded and .js is shipped', 'ts:before', 'js:after'],
    ['a module has no checksum', 'js:before', undefined],
    ['nothing was recorded', undefined, 'js:after'],
  ])('is not said when %s', (_why, before, after) => {
    const state = comparing({
      migrations: [{ ...migration('01_a.js'), checksum: after }],
      applied: ['01_a.js'],
      journal: [entry('01_a.js', { checksum: before })],
    });
    expect(state).toMatchObject({ edited: [], inSync: true });
  });
  test('is not said of what is not applied any more', () => {
    expect(comparing({ applied: ['01_a.js'], migrations: edits }).edited).toEqual([]);
  });
});

describe('a finding', () => {
  test('names five and counts the rest', () => {
    const applied = [...Array.from({ length: 7 }, (_, index) => `00_${index}.js`), ...code];
    const [finding] = comparing({ applied }).findings;
    expect(finding?.message).toMatch(/: 00_0\.js, 00_1\.js, 00_2\.js, 00_3\.js, 00_4\.js and 2 more$/);
    expect(finding).not.toHaveProperty('at');
  });
  test('stands at its migration when it is about one', () => {
    const applied = [...code, '02_b.js'];
    expect(comparing({ applied }).findings).toMatchObject([{ code: 'history-duplicate', level: 'warn', at: { migration: '02_b.js' } }]);
  });
  test('about tables, or about a run that was at no migration, stands nowhere', () => {
    const unmanaged = comparing({ applied: undefined, owner: undefined, journal: [], unmanaged: ['patients'] });
    const failed = comparing({ mode: 'verify', owner: { ...owner, state: 'failed' } });
    expect([unmanaged, failed].map(({ findings }) => findings[0]?.at)).toEqual([undefined, undefined]);
    expect(failed.findings[0]?.message).toMatch(/ failed with an unknown error$/);
  });
  test('is not made for a name that is excepted, and stays for the others', () => {
    const rules = { 'history-missing': { level: 'error', except: ['00_a'] } } as const;
    expect(comparing({ applied: ['00_a.js', '00_b.js', ...code], rules }).findings).toMatchObject([{ at: { migration: '00_b.js' } }]);
  });
});

describe('unfinished', () => {
  const journal = [entry('03_c.js', { status: 'started' })];
  const applied = code.slice(0, 2);
  test.each(['wait', 'verify'] as const)('is not said of what a run that is at work has begun, in mode %s', (mode) => {
    expect(comparing({ mode, applied, journal, owner: { ...owner, state: 'active' } }).unfinished).toEqual([]);
    expect(comparing({ mode, applied, journal, owner: { ...owner, state: 'active', run: 'r2' } }).unfinished).toEqual(journal);
  });
  test('is not said of what was recorded as done, or as undone', () => {
    expect(comparing({ applied: code, journal }).unfinished).toEqual([]);
    expect(comparing({ applied, journal: [entry('03_c.js', { status: 'undone' })] }).unfinished).toEqual([]);
  });
});
