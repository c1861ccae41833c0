import { suggestion } from '../config/index.js';
import { MigrationError } from '../errors.js';
import type { BackfillProgress } from './progress.js';

/** Those of these names, in their order; all where undefined. Throws EM_BACKFILL_UNKNOWN for names that nobody has enqueued. Pure. */
export function chosenOf(all: readonly BackfillProgress[], names: readonly string[] | undefined): readonly BackfillProgress[] {
  if (names === undefined) return all;
  const known = all.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw unknownError(unknown, known);
  return all.filter(({ name }) => names.includes(name));
}

function unknownError(unknown: readonly string[], known: readonly string[]): MigrationError {
  const lines = unknown.map((name) => `no backfill of the name "${name}" was enqueued in this database${suggestion(name, known)}`);
  const there = known.length === 0 ? 'None was ever enqueued' : `There are ${known.map((name) => `"${name}"`).join(', ')}`;
  return new MigrationError('EM_BACKFILL_UNKNOWN', lines.join('\n  '), {
    remedy: `Give the name of one that is there. ${there}. Nothing was changed.`,
  });
}
