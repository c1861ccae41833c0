import { createRequire } from 'node:module';
import { loadMigrations } from '../apply/index.js';
import type { Call } from '../call.js';
import { captureMigration } from '../capture/index.js';
import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { tablesOf } from '../history/index.js';
import { planDowngrade, planUpgrade, type Step } from '../plan.js';
import { runCall } from '../run-call.js';
import { messagesOf, renderScript, selectRange, type Range, type ScriptStep } from '../script/index.js';
import { listMigrations } from '../source/index.js';

export interface ScriptOptions {
  /** `from:to`; either side may be left out, for base and head. `to` before `from` takes migrations back. Default: base to head. */
  readonly range?: string | undefined;
  /** What is applied already is passed over; without it the script stops at a database that does not stand at `from`. */
  readonly idempotent?: boolean | undefined;
}

/** A script for psql. */
export interface Script {
  readonly sql: string;
  /** In the order in which they run. */
  readonly migrations: readonly ScriptedMigration[];
}

export interface ScriptedMigration {
  readonly name: string;
  readonly direction: 'up' | 'down';
  readonly transaction: boolean;
  readonly statementCount: number;
}

/**
 * Writes what an upgrade or a downgrade would do as one script for psql, guard, lock, history and journal included. Connects to nothing: a
 * migration that needs the answer to a statement is refused with EM_SCRIPT_REFUSED. The code of migrations is run, against a connection that
 * only records. Throws EM_PLAN_REFUSED for a range that makes no sense, and for a missing `down`.
 */
export async function script(options: Options, { range, idempotent }: ScriptOptions = {}): Promise<Script> {
  return await runCall({ ...options, mode: 'off' }, async (call) => {
    const selected = selectRange(range, await listMigrations(call.config.migrations));
    const steps = await captureAll(call, await planOf(call, selected));
    const tables = tablesOf(call.config.migrations);
    const done = idempotent ? 'skipped' : 'must-run';
    const sql = renderScript({ call, tables, range: selected, steps, madeBy: releaseOf(), done });
    return Object.freeze({ sql, migrations: Object.freeze(steps.map(described)) });
  });
}

async function planOf(call: Call, { direction, migrations }: Range): Promise<readonly Step[]> {
  const loaded = await loadMigrations(call, migrations, direction);
  const options = { transaction: 'each', disableTransactions: call.config.migrations.disableTransactions, pooled: false } as const;
  if (direction === 'up') return planUpgrade({ pending: loaded, applied: [], ...options }).steps;
  return planDowngrade({ undone: loaded.map((migration) => ({ name: migration.name, migration })), ...options }).steps;
}

async function captureAll(call: Call, steps: readonly Step[]): Promise<ScriptStep[]> {
  const refused: string[] = [];
  const captured: ScriptStep[] = [];
  for (const { name, migration, direction, code, transaction } of steps) {
    const { statements, exactness, reason } = await captureMigration({ call, migration, code, transaction, reads: 'refused' });
    if (exactness !== 'exact') refused.push(`${name}: ${reason}`);
    const { checksum, config } = migration;
    captured.push({ name, direction, checksum, breaking: config.breaking ?? true, transaction, messages: await messagesOf(statements) });
  }
  if (refused.length > 0) throw cannotBeWritten(refused);
  return captured;
}

function cannotBeWritten(refused: readonly string[]): MigrationError {
  const what = 'what these migrations send is not known without running them on a server:';
  return new MigrationError('EM_SCRIPT_REFUSED', [what, ...refused].join('\n  '));
}

function described({ name, direction, transaction, messages }: ScriptStep): ScriptedMigration {
  const statementCount = messages.reduce((sum, { statements }) => sum + statements.length, 0);
  return Object.freeze({ name, direction, transaction, statementCount });
}

// Our own package.json, two directories up from src/commands and from dist/commands.
function releaseOf(): string {
  const { name, version } = createRequire(import.meta.url)('../../package.json') as { name: string; version: string };
  return `${name} ${version}`;
}
