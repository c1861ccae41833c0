import type { Migration } from '../source/index.js';
import { migrationId } from '../source/index.js';
import { hashOf, readDefinition, type Backfill } from './definition.js';
import type { RangeRow } from './state.js';
import type { Crew } from './worker.js';

/** Looks definitions up in the code's migrations: imports the one that has enqueued it. Undefined where it is not here, or exports none. */
export function definitionsIn(migrations: readonly Migration[]): Crew['definitionOf'] {
  return async ({ name, migration }): Promise<Backfill | undefined> => {
    if (migration === null) return undefined;
    const found = migrations.find(({ id }) => id === migrationId(migration));
    const exported = (await found?.load())?.backfills as Record<string, unknown> | undefined;
    return exported?.[name] === undefined ? undefined : readDefinition(name, exported[name]);
  };
}

/** Why this code cannot work on a backfill; undefined where it can. Pure. */
export function refusalOf({ definition, hash }: Pick<RangeRow, 'definition' | 'hash'>, code: Backfill | undefined): string | undefined {
  if (!code) return definition.apply ? 'its code is in a migration that is not here' : undefined;
  return hashOf(code) === hash ? undefined : 'its definition has changed since it was enqueued';
}
