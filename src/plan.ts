import type { Config } from './config/index.js';
import { MigrationError } from './errors.js';
import { recordedName, type LoadedMigration } from './source/index.js';

/** One migration to run, and how. */
export interface Step {
  readonly migration: LoadedMigration;
  /** The name for the history, in the form that the history already uses. */
  readonly name: string;
  readonly direction: 'up';
  /** k of n, counted from 1. */
  readonly number: number;
  readonly of: number;
  readonly transaction: boolean;
}

/** What will run, decided before anything does. A dry run is a Plan that is not applied. */
export interface Plan {
  readonly steps: readonly Step[];
  /** `each`: a transaction per migration. `all`: one for the set. */
  readonly transaction: 'each' | 'all';
}

export interface PlanRequest {
  readonly pending: readonly LoadedMigration[];
  readonly applied: readonly string[];
  readonly transaction: Config['transaction'];
  readonly disableTransactions: boolean;
  readonly pooled: boolean;
}

/** Decides what runs to bring the database to head. Pure; throws EM_PLAN_REFUSED where the options cannot be met. */
export function planUpgrade({ pending, applied, transaction, disableTransactions, pooled }: PlanRequest): Plan {
  const steps = pending.map((migration, index) => ({
    migration,
    name: recordedName(migration.name, applied),
    direction: 'up' as const,
    number: index + 1,
    of: pending.length,
    transaction: migration.config.transaction ?? !disableTransactions,
  }));
  const outside = steps.filter((step) => !step.transaction).map(({ name }) => name);
  if (outside.length > 0 && pooled) {
    throw new MigrationError('EM_PLAN_REFUSED', `cannot run outside a transaction behind a connection pooler: ${outside.join(', ')}`, {
      remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler. Nothing was changed.',
    });
  }
  if (outside.length > 0 && transaction === 'all') {
    throw new MigrationError(
      'EM_PLAN_REFUSED',
      `transaction: 'all' was asked for, but these migrations run outside a transaction: ${outside.join(', ')}`,
      {
        remedy: "Use transaction: 'each' for this release. Nothing was changed.",
      },
    );
  }
  return { steps, transaction: pooled ? 'all' : transaction };
}
