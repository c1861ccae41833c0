import type { Knex } from 'knex';
import { isObject, kindOf, refuse, within, type Place } from './values.js';

/** What a migration's file exports. */
export interface MigrationModule {
  /** Brings the change. Required of a migration that is to run. */
  readonly up?: (knex: Knex) => unknown;
  /** Takes it back. Needed by a downgrade only. */
  readonly down?: (knex: Knex) => unknown;
  /** Runs after `up`, inside its transaction, and rolls it back by throwing. */
  readonly verify?: (knex: Knex) => unknown;
  readonly config?: {
    /** `false`: runs outside a transaction. Beats `disableTransactions`, and every option. */
    readonly transaction?: boolean;
    /** Whether code older than this migration fails on the migrated database. Unset: the lint decides by what it does. */
    readonly breaking?: boolean;
    /** `false`: is never run against a recording connection: its statements are judged when they are sent, and no earlier. */
    readonly capture?: boolean;
    /** Rules of the lint that are not looked for in this migration, each with the reason, which goes into the journal. */
    readonly safe?: Readonly<Record<string, string>>;
    readonly requires?: {
      /** Extensions that must be available on the server. */
      readonly extensions?: readonly string[];
      /** Backfills that are done before this migration begins. */
      readonly backfills?: readonly string[];
      /** What comes of one that is not: this run does the rest of it first (`finish`, the default), or is refused (`fail`). */
      readonly onUnfinished?: 'finish' | 'fail';
    };
  };
  /** Definitions of the backfills that `up` enqueues, by their names: each a `Backfill`. */
  readonly backfills?: Readonly<Record<string, object>>;
  /** Stands for the source's checksum where there is no file. */
  readonly checksum?: string;
  readonly default?: unknown;
}

/** knex's own kind of source for migrations that are not files. */
export interface MigrationSource {
  /** All of them, each as this source has it. */
  getMigrations(loadExtensions: readonly string[]): PromiseLike<readonly unknown[]> | readonly unknown[];
  /** What the history calls one of them. */
  getMigrationName(migration: unknown): string;
  /** Its code; asked only for what is needed. */
  getMigration(migration: unknown): PromiseLike<MigrationModule> | MigrationModule;
}

export type MigrationModules = Readonly<Record<string, MigrationModule | (() => Promise<MigrationModule>)>>;

/** Reads the modules of a bundle. What a module exports is seen when it is listed, what a function imports when it is called. */
export function readModules(value: unknown, place: Place): MigrationModules | undefined {
  if (!isObject(value)) return refuse(place, 'an object of names and modules', kindOf(value));
  for (const [name, module] of Object.entries(value)) {
    if (isObject(module) || typeof module === 'function') continue;
    refuse(within(place, name), 'a module or a function that imports one', kindOf(module));
  }
  return Object.freeze({ ...value }) as MigrationModules;
}
