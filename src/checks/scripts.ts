import type { LoadedMigration, Misplaced, SqlScript } from '../source/index.js';
import { placeOf, type Asked, type Found } from './check.js';

export interface ScriptFault {
  readonly migration: LoadedMigration;
  readonly line: number;
  readonly statement: string;
}

/** Looks for a statement that has no place in a .sql migration that runs in a transaction. */
export async function searchScripts(asked: Asked, search: (script: SqlScript) => Promise<Misplaced | undefined>): Promise<ScriptFault[]> {
  const faults: ScriptFault[] = [];
  for (const migration of asked.pending) {
    const transactional = migration.config.transaction ?? !asked.call.config.migrations.disableTransactions;
    const code = migration[asked.direction];
    if (!transactional || code === undefined || typeof code === 'function') continue;
    const found = await search(code);
    if (found) faults.push({ migration, ...found });
  }
  return faults;
}

/** The finding at the line of the statement. */
export function foundInScript({ migration, line }: ScriptFault, message: string, remedy: string): Found {
  return { message, remedy, at: placeOf(migration, line), names: [migration.name] };
}
