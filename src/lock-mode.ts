/** The modes in which PostgreSQL locks a table, weakest first, as its manual spells them (13.3.1). */
export const lockModes = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const;

export type LockMode = (typeof lockModes)[number];

// The manual's table 13.2. SHARE UPDATE EXCLUSIVE conflicts with itself and lets writes through, SHARE is the other way around: what
// a mode blocks cannot be told from its place in the order.
const conflicts: Readonly<Record<LockMode, readonly LockMode[]>> = {
  'ACCESS SHARE': ['ACCESS EXCLUSIVE'],
  'ROW SHARE': ['EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'ROW EXCLUSIVE': ['SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'SHARE UPDATE EXCLUSIVE': ['SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  SHARE: ['ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'SHARE ROW EXCLUSIVE': lockModes.slice(2),
  EXCLUSIVE: lockModes.slice(1),
  'ACCESS EXCLUSIVE': lockModes,
};

/** Whether another session that wants the one has to wait for a session that holds the other; the order does not matter. */
export function conflictsWith(mode: LockMode, other: LockMode): boolean {
  return conflicts[mode].includes(other);
}

/** Whether a plain SELECT on the table waits. `select for update` and the like want ROW SHARE: ask {@link conflictsWith}. */
export function blocksReads(mode: LockMode): boolean {
  return conflictsWith(mode, 'ACCESS SHARE');
}

/** Whether INSERT, UPDATE and DELETE on the table wait. */
export function blocksWrites(mode: LockMode): boolean {
  return conflictsWith(mode, 'ROW EXCLUSIVE');
}

/** In the order of {@link lockModes}, which is the server's own; every mode is stronger than no lock. */
export function isStronger(mode: LockMode, than: LockMode | undefined): boolean {
  return than === undefined || lockModes.indexOf(mode) > lockModes.indexOf(than);
}

/** The mode as `pg_locks.mode` names it (`AccessExclusiveLock`). Undefined for a mode of predicate locks. */
export function parseLockMode(name: string): LockMode | undefined {
  const spelled = name
    .replace(/Lock$/, '')
    .replace(/\B[A-Z]/g, ' $&')
    .toUpperCase();
  return lockModes.find((mode) => mode === spelled);
}
