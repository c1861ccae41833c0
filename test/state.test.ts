import { describe, expect, test } from 'vitest';
import type { Compared } from '../src/answers.js';
import type { Mode, Rule } from '../src/config/index.js';
import type { Level } from '../src/finding.js';
import type { State } from '../src/state.js';
import { code, comparing, entry, owner } from './comparing.js';

interface Case {
  readonly rule: Rule;
  readonly compared: Partial<Omit<Compared, 'rules'>>;
  /** What the finding says. */
  readonly says: string;
  /** The names that the finding is about, for `except`. */
  readonly names: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  pending: {
    rule: 'history-pending',
    compared: { applied: code.slice(0, 1) },
    says: 'not applied: 02_b.js, 03_c.js',
    names: ['02_b', '03_c'],
  },
  ahead: {
    rule: 'history-ahead',
    compared: {
      applied: [...code, '04_d.js', '05_e.js'],
      journal: [entry('04_d.js', { breaking: false }), entry('05_e.js', { breaking: true })],
    },
    says: 'the database is ahead of this code by migrations that it cannot run beside: 05_e.js',
    names: ['05_e.js'],
  },
  missing: {
    rule: 'history-missing',
    compared: { applied: ['01_a.js', '02_a2.js', '02_b.js', '03_c.js'] },
    says: 'applied here, but not among the files, and older than the newest of them: 02_a2.js',
    names: ['02_a2.ts'],
  },
  edited: {
    rule: 'history-edited',
    compared: { journal: [entry('01_a.js'), entry('02_b.js', { checksum: 'js:before' }), entry('03_c.js')] },
    says: 'changed since they were applied: 02_b.js',
    names: ['02_b.js'],
  },
  'out of order': {
    rule: 'history-out-of-order',
    compared: { applied: ['01_a.js', '03_c.js'] },
    says: 'not applied, but older than what is: 02_b.js',
    names: ['02_b.js'],
  },
  unfinished: {
    rule: 'history-unfinished',
    compared: { applied: code.slice(0, 2), journal: [entry('03_c.js', { status: 'started' })] },
    says: 'stopped half-way outside a transaction: 03_c.js',
    names: [],
  },
  unmanaged: {
    rule: 'history-unmanaged',
    compared: { applied: undefined, owner: undefined, journal: [], unmanaged: ['patients', 'visits'] },
    says: 'the database has tables, but no history: patients, visits',
    names: ['patients', 'visits'],
  },
  'recorded twice': {
    rule: 'history-duplicate',
    compared: { applied: [...code, '02_b.js'] },
    says: 'recorded twice: 02_b.js; knex ran these files a second time beside another process',
    names: ['02_b.js'],
  },
  'a failed run': {
    rule: 'history-unsettled',
    compared: { owner: { ...owner, state: 'failed', migration: '03_c.js', errorCode: 'EM_MIGRATION_FAILED' } },
    says: 'the last run (api on web-1, since 2024-05-01T10:00:00Z) failed with EM_MIGRATION_FAILED, at 03_c.js',
    names: ['03_c.js'],
  },
  'a run that was told to stop': {
    rule: 'history-unsettled',
    compared: { owner: { ...owner, state: 'failed', migration: '03_c.js', errorCode: 'EM_ABORTED' } },
    says: 'the last run (api on web-1, since 2024-05-01T10:00:00Z) was told to stop (EM_ABORTED), at 03_c.js',
    names: ['03_c.js'],
  },
  'a run at work': {
    rule: 'history-unsettled',
    compared: { owner: { ...owner, state: 'active', migration: '03_c.js' } },
    says: 'the last run (api on web-1, since 2024-05-01T10:00:00Z) is at work, or died, at 03_c.js',
    names: ['03_c.js'],
  },
};

/** `open`: not in sync, and nothing to refuse. `refused`: not in sync, and an error says so. */
type Verdict = 'passes' | 'passes, warned' | 'open' | 'open, warned' | 'refused';
const harmful: readonly Verdict[] = ['refused', 'passes, warned', 'passes'];
const toDo: readonly Verdict[] = ['open', 'open', 'open'];
const harmfulToDo: readonly Verdict[] = ['refused', 'open, warned', 'open'];
const levels: readonly Level[] = ['error', 'warn', 'off'];

// At the levels error, warn and off.
const table: readonly [keyof typeof cases, Mode, readonly Verdict[]][] = [
  ['pending', 'apply', toDo],
  ['pending', 'wait', toDo],
  ['pending', 'verify', harmful],
  ...modesOf('ahead', harmful),
  ...modesOf('missing', harmful),
  ...modesOf('edited', harmful),
  ...modesOf('out of order', harmfulToDo),
  ...modesOf('unfinished', ['refused']), // its level is fixed
  ...modesOf('unmanaged', harmfulToDo),
  ...modesOf('recorded twice', harmful),
  ['a failed run', 'apply', toDo],
  ['a failed run', 'wait', harmful],
  ['a failed run', 'verify', harmful],
  ['a run at work', 'apply', toDo],
  ['a run at work', 'wait', ['open', 'passes', 'passes']],
  ['a run at work', 'verify', harmful],
];

function modesOf(name: keyof typeof cases, verdicts: readonly Verdict[]): [keyof typeof cases, Mode, readonly Verdict[]][] {
  return (['apply', 'wait', 'verify'] as const).map((mode) => [name, mode, verdicts]);
}

function verdictOf(state: State, rule: Rule): Verdict {
  const found = state.findings.find(({ code: each }) => each === rule);
  if (found?.level === 'error') return state.inSync ? 'passes' : 'refused';
  return `${state.inSync ? 'passes' : 'open'}${found ? ', warned' : ''}` as Verdict;
}

describe.each(table)('%s, mode %s:', (name, mode, verdicts) => {
  const { rule, compared, says, names } = cases[name] as Case;
  const each = verdicts.map((verdict, index) => [levels[index] as Level, verdict] as const);
  test.each(each)('the level %s makes that %s', (level, verdict) => {
    const state = comparing({ ...compared, mode, rules: { [rule]: level } });
    expect(verdictOf(state, rule)).toBe(verdict);
    const found = state.findings.filter((finding) => finding.code === rule);
    expect(found.map(({ message }) => message)).toEqual(/refused|warned/.test(verdict) ? [says] : []);
  });
  if (names.length === 0) return; // no exceptions to a level that is fixed
  test('an exception for each name makes that as the level off does', () => {
    const excepted = comparing({ ...compared, mode, rules: { [rule]: { level: 'error', except: names } } });
    expect(excepted).toEqual(comparing({ ...compared, mode, rules: { [rule]: 'off' } }));
  });
});
