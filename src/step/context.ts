import type { Knex } from 'knex';

/** What a function of ours that a migration calls learns from the knex that the migration was given. */
export interface StepContext {
  readonly migration: string;
  /** What the migration exports under this name. */
  readonly backfills: unknown;
  /** Of the history that is migrated; quoted. */
  readonly tables: { readonly backfills: string; readonly aside: string };
  /** `recorded`: nothing of what it sends reaches a server. `resumed`: a run before this one may have sent a part of it. */
  readonly run: 'first' | 'resumed' | 'recorded';
}

// By its global name, since a migration may import another copy of the library. It lies in knex's own configuration, which a transaction shares.
const key = Symbol.for('ensure-migrated.step-context');

/** A part of a knex configuration that holds the context, asked anew each time. */
export function contextIn(context: (() => StepContext) | undefined): object {
  return context ? { [key]: context } : {};
}

/** Undefined for a knex that is not ours, such as that of knex's own migrator. */
export function contextOf(knex: Knex): StepContext | undefined {
  const { config } = (knex as { client?: { config?: { [key]?: () => StepContext } } }).client ?? {};
  return config?.[key]?.();
}
