/** Several databases in one call: each is booted as `ensureMigrated` does it. The only door of this room. */
import type { Call } from '../call.js';
import { resolveDatabases, type AllOptions, type Databases } from '../config/index.js';
import { ensureMigrated } from '../ensure.js';
import type { Member, MigrationError } from '../errors.js';
import { runFleet } from '../fleet.js';
import { loggerThrough } from '../log.js';
import type { Outcome } from '../outcome.js';
import { runCall } from '../run-call.js';
import { refuseTwins } from './twins.js';

/** What one of several databases came to. Plain data, frozen. */
export interface DatabaseOutcome extends Outcome {
  readonly name: string;
}

/** See `ensureAllMigrated` in src/ensure-all.ts. */
export async function ensureDatabases(options: AllOptions): Promise<readonly DatabaseOutcome[]> {
  const { shared, ...databases } = resolveDatabases(options);
  return await runCall({ ...shared, mode: 'off' }, async (call) => tellReady(call, await bootAll(call, databases)), tellFailed);
}

async function bootAll(call: Call, { databases, ...plan }: Omit<Databases, 'shared'>): Promise<readonly DatabaseOutcome[]> {
  await refuseTwins(call, databases);
  const optionsOf = new Map(databases.map(({ name, options }) => [name, options]));
  const run = async (name: string) =>
    await ensureMigrated({ ...optionsOf.get(name), logger: loggerThrough(call.report, { database: name }), onProgress: undefined });
  const members = await runFleet({ kind: 'database', names: [...optionsOf.keys()], run, ...plan, stop: call.stop });
  return Object.freeze(members.map(({ name, outcome }) => Object.freeze({ name, ...(outcome as Outcome) })));
}

function tellReady(call: Call, outcomes: readonly DatabaseOutcome[]): readonly DatabaseOutcome[] {
  const databases = outcomes.map(({ name, status, from, to, applied }) => ({
    database: name,
    status,
    from,
    to,
    appliedCount: applied.length,
  }));
  const isNews = outcomes.some(({ status }) => status === 'migrated');
  call.report[isNews ? 'info' : 'debug']('databases.ready', { databases });
  return outcomes;
}

// The message of the error of all of them has those of each in it, which may quote what only the thrown error may.
function tellFailed(call: Call, { code, remedy, message, members }: MigrationError): void {
  const isPlain = code === 'EM_CONFIG_INVALID' || code === 'EM_ABORTED';
  const databases = members.map(toldOf);
  call.report.error('databases.failed', { code, remedy, ...(isPlain && { message }), ...(databases.length > 0 && { databases }) });
}

function toldOf(member: Member) {
  const { name, status, outcome, error } = member;
  return { database: name, status, code: error?.code, to: (outcome ?? error?.outcome)?.to, appliedCount: appliedCountOf(member) };
}

// Of a database of which some tenants have failed: in all of them.
function appliedCountOf({ outcome, error }: Member): number {
  const own = (outcome ?? error?.outcome)?.applied.length ?? 0;
  return (error?.members ?? []).map(appliedCountOf).reduce((sum, count) => sum + count, own);
}
