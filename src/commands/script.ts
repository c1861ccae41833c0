import { captureSteps } from '../captured-steps.js';
import type { Options } from '../config/index.js';
import { tablesOf } from '../history/index.js';
import { readOwnPackage } from '../own-package.js';
import { runCall } from '../run-call.js';
import { renderScript, selectRange, type ScriptStep } from '../script/index.js';
import { listMigrations } from '../source/index.js';

/** What the script is about. */
export interface ScriptOptions {
  /** `from:to`; either side may be left out, for base and head. `to` before `from` takes migrations back. Default: base to head. */
  readonly range?: string | undefined;
  /** What is applied already is passed over; without it the script stops at a database that does not stand at `from`. */
  readonly idempotent?: boolean | undefined;
  /** Runs migrations that need an answer of the server in a scratch database beside the one of the options, with all that come before them. */
  readonly scratch?: boolean | undefined;
}

/** A script for psql. */
export interface Script {
  /** For `psql --file`; docs/operations.md says how it is run. */
  readonly sql: string;
  /** In the order in which they run. */
  readonly migrations: readonly ScriptedMigration[];
}

/** A migration of a script. */
export interface ScriptedMigration {
  readonly name: string;
  readonly direction: 'up' | 'down';
  /** False: its statements run outside of one. */
  readonly transaction: boolean;
  readonly statementCount: number;
}

/**
 * Writes what an upgrade or a downgrade would do as one script for psql, guard, lock, history and journal included. Connects to nothing: a
 * migration that needs the answer to a statement is refused with EM_SCRIPT_REFUSED, unless `scratch` lets it have one. The code of migrations is
 * run, against a connection that only records. Throws EM_PLAN_REFUSED for a range that makes no sense, and for a missing `down`.
 */
export async function script(options: Options, { range, idempotent, scratch }: ScriptOptions = {}): Promise<Script> {
  return await runCall({ ...options, mode: scratch ? 'verify' : 'off' }, async (call) => {
    const selected = selectRange(range, await listMigrations(call.config.migrations));
    const steps = await captureSteps({ call, range: selected, server: scratch ? 'scratch' : 'none' });
    const tables = tablesOf(call.config.migrations);
    const done = idempotent ? 'skipped' : 'must-run';
    const sql = renderScript({ call, tables, range: selected, steps, madeBy: releaseOf(), done });
    return Object.freeze({ sql, migrations: Object.freeze(steps.map(described)) });
  });
}

function described({ name, direction, transaction, messages }: ScriptStep): ScriptedMigration {
  const statementCount = messages.reduce((sum, { statements }) => sum + statements.length, 0);
  return Object.freeze({ name, direction, transaction, statementCount });
}

function releaseOf(): string {
  const { name, version } = readOwnPackage();
  return `${name} ${version}`;
}
