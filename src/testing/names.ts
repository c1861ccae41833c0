import { createHash, randomBytes } from 'node:crypto';

/**
 * The databases of the harness: `t` a template, `b` one that is being built, `c` a test's own. The name tells in which database the locks of
 * those who use it are, since an advisory lock is one of the database in which it was taken; then the template's hash, or the run.
 */
export type Kind = 't' | 'b' | 'c';

/** Of one `startTestDatabases()`, also in the names of its databases: whoever holds its lock is alive. */
export function newRun(): string {
  return randomBytes(6).toString('hex');
}

export function templateName(oid: string, hash: string): string {
  return `em_t_${oid}_${hash.slice(0, 24)}`;
}

export function databaseName(kind: 'b' | 'c', oid: string, run: string): string {
  return `em_${kind}_${oid}_${run}_${randomBytes(3).toString('hex')}`;
}

/** A regular expression of the server for the names of these kinds that are looked after from this database. */
export function namePattern(kinds: string, oid: string): string {
  return `^em_[${kinds}]_${oid}_[0-9a-f]{12}(_[0-9a-f]{6}|[0-9a-f]{12})$`;
}

export function runOf(name: string): string {
  return name.split('_')[3] ?? '';
}

/** Begins the comment on each of them: what does not bear it is not ours, whatever its name. */
export const mark = 'A test database of ensure-migrated';

/** The same for one that a failed test keeps; a time follows. */
export const keptMark = `${mark}, kept since `;

/** First keys of the advisory locks: a run is alive; a template is being built; a template is in use. */
export const lockSpaces = { run: 0x656d7472, build: 0x656d7462, use: 0x656d7475 };

export function lockNumber(name: string): number {
  return createHash('sha256').update(name).digest().readInt32BE(0);
}
