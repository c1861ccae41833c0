import type { MigrationSettings } from '../source/index.js';
import type { Attempt } from './journal.js';

const mostReasons = 20;

/**
 * What goes on record of a migration for releases that do not know it, and for reviewers: what its author says beats what was seen, and what nobody
 * has seen (no reasons at all, not even none) counts as breaking.
 */
export function compatibilityOf(
  { breaking, safe }: MigrationSettings,
  reasons: readonly string[] | undefined,
): Pick<Attempt, 'breaking' | 'breaks' | 'safe'> {
  const breaks = (reasons ?? []).slice(0, mostReasons);
  return {
    breaking: breaking ?? (reasons === undefined || reasons.length > 0),
    ...(breaks.length > 0 && { breaks }),
    ...(safe && { safe }),
  };
}
