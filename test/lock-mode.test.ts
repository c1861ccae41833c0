import { describe, expect, test } from 'vitest';
import { blocksReads, blocksWrites, conflictsWith, isStronger, lockModes, parseLockMode, type LockMode } from '../src/lock-mode.js';

// One line of the manual's table 13.2 each: with which modes it conflicts, in their order.
const table: Readonly<Record<LockMode, string>> = {
  'ACCESS SHARE': '.......X',
  'ROW SHARE': '......XX',
  'ROW EXCLUSIVE': '....XXXX',
  'SHARE UPDATE EXCLUSIVE': '...XXXXX',
  SHARE: '..XX.XXX',
  'SHARE ROW EXCLUSIVE': '..XXXXXX',
  EXCLUSIVE: '.XXXXXXX',
  'ACCESS EXCLUSIVE': 'XXXXXXXX',
};

describe('the lock modes', () => {
  test.each(lockModes)('%s conflicts as the manual says', (mode) => {
    expect(lockModes.map((other) => (conflictsWith(mode, other) ? 'X' : '.')).join('')).toBe(table[mode]);
    expect(lockModes.map((other) => (conflictsWith(other, mode) ? 'X' : '.')).join('')).toBe(table[mode]);
  });
  test('only the strongest blocks a SELECT; SHARE and up block writes', () => {
    expect(lockModes.filter(blocksReads)).toEqual(['ACCESS EXCLUSIVE']);
    expect(lockModes.filter(blocksWrites)).toEqual(['SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE']);
  });
  test('are ordered, none stronger than itself, each stronger than no lock', () => {
    expect(isStronger('EXCLUSIVE', 'SHARE ROW EXCLUSIVE')).toBe(true);
    expect(isStronger('SHARE', 'SHARE')).toBe(false);
    expect(isStronger('ROW SHARE', 'ACCESS EXCLUSIVE')).toBe(false);
    expect(isStronger('ACCESS SHARE', undefined)).toBe(true);
  });
  test('are read from the names of pg_locks', () => {
    const names = [
      'AccessShareLock',
      'RowShareLock',
      'RowExclusiveLock',
      'ShareUpdateExclusiveLock',
      'ShareLock',
      'ShareRowExclusiveLock',
      'ExclusiveLock',
      'AccessExclusiveLock',
    ];
    expect(names.map(parseLockMode)).toEqual(lockModes);
    expect(parseLockMode('SIReadLock')).toBeUndefined();
  });
});
