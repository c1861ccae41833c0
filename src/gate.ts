import { definitionsIn, describeProgress, isOpen, readProgress, workToTheEnd, type BackfillProgress } from './backfill/index.js';
import type { Call } from './call.js';
import { judge, type Found } from './checks/index.js';
import { MigrationError } from './errors.js';
import type { Finding } from './finding.js';
import type { History, Tables } from './history/index.js';
import { whileBusy } from './lock.js';
import type { Step } from './plan.js';
import type { Session } from './session/index.js';
import type { LoadedMigration, Migration } from './source/index.js';

/** What the gates of pending migrations stand on. */
export interface GateRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly history: Pick<History, 'hasBackfills' | 'applied'>;
  /** In the order in which they will run. */
  readonly pending: readonly LoadedMigration[];
  /** How they will run: nothing can be done between migrations that share one transaction. */
  readonly transaction: 'each' | 'all';
}

/**
 * Whether the backfills that pending migrations require are done, or can be done before each of them begins. One query, none where nothing is
 * required; writes nothing.
 */
export async function checkGates(request: GateRequest): Promise<Finding[]> {
  const { call, session, tables, history, pending } = request;
  const gates = pending.flatMap((migration, index) =>
    requiredBy(migration).map((name) => ({ name, migration, before: pending.slice(0, index) })),
  );
  if (gates.length === 0) return [];
  const progress = new Map(history.hasBackfills ? (await readProgress(session, tables)).map((each) => [each.name, each]) : []);
  const { rules } = call.config;
  return gates.flatMap((gate) => {
    const { rule, ...found } = judgeGate(request, gate, progress.get(gate.name)) ?? {};
    const place = { at: { migration: gate.migration.name }, names: [gate.name, gate.migration.name] };
    return rule ? judge(rule, rules[rule], [{ ...place, ...(found as Found) }]) : [];
  });
}

interface Gate {
  readonly name: string;
  readonly migration: LoadedMigration;
  /** What runs before it. */
  readonly before: readonly LoadedMigration[];
}

type Judged = Found & { readonly rule: 'backfill-unknown' | 'backfill-unfinished' };

function judgeGate(request: GateRequest, gate: Gate, progress: BackfillProgress | undefined): Judged | undefined {
  if (progress?.status === 'done') return undefined;
  const required = `${gate.migration.name} requires the backfill "${gate.name}"`;
  if (!progress && !gate.before.some((migration) => mayEnqueue(migration, gate.name))) {
    const remedy = "Correct the name in the migration's `requires.backfills`, or enqueue it in an earlier migration.";
    return { rule: 'backfill-unknown', message: `${required}, which nobody has enqueued`, remedy };
  }
  const how = progress ? describeProgress(progress) : 'an earlier migration of this run enqueues it';
  const rule = 'backfill-unfinished';
  if (progress && !isOpen(progress)) return { rule, message: `${required}, which has stopped: ${how}`, remedy: remedies.stopped };
  if (request.transaction === 'all') return { rule, message: `${required}, which is not done (${how})`, remedy: remedies.together };
  if (mayFinish(request, gate.migration)) {
    const message = `${required}, which is not done (${how}): the rest is done under the lock before that migration begins`;
    return { rule, level: 'info', message, remedy: remedies.fail };
  }
  const message = `${required} with onUnfinished: 'fail', and it is not done (${how})`;
  return { rule, message, remedy: remedies.fail, ...(progress ? {} : { level: 'info' }) };
}

const remedies = {
  stopped: 'Mend what stopped it, and let it go on: `ensure-migrated backfill retry` or `resume`; or take it out of `requires`.',
  together: "Run it to its end first (`ensure-migrated backfill run`), or migrate with transaction: 'each' and around the pooler.",
  fail: 'Run it to its end first: `ensure-migrated backfill run`.',
};

// One that is given inline stands in no export: whether it is enqueued shows at the gate.
function mayEnqueue({ backfills, up }: LoadedMigration, name: string): boolean {
  return Object.hasOwn(Object(backfills) as object, name) || typeof up === 'function';
}

function requiredBy({ config }: LoadedMigration): readonly string[] {
  return config.requires?.backfills ?? [];
}

// Where everything is made from nothing there are no rows to speak of, and who asked for `blocking` waits for all of them anyway.
function mayFinish({ call, history: { applied = [] } }: Pick<GateRequest, 'call' | 'history'>, { config }: LoadedMigration): boolean {
  return config.requires?.onUnfinished !== 'fail' || call.config.backfills === 'blocking' || applied.length === 0;
}

/** What opening a gate stands on: the lock, and whose migrations have the code. */
export interface GateKeeping extends Omit<GateRequest, 'pending' | 'transaction'> {
  readonly scope: 'session' | 'xact';
  readonly migrations: readonly Migration[];
}

/**
 * Lets a step begin once the backfills that it requires are done: does the rest of them on the session that holds the lock, between two transactions, together
 * with whoever else is at them. Those who wait for the lock see that the holder is at work. Throws EM_BACKFILL_UNFINISHED where one stays undone.
 */
export async function openGate(keeping: GateKeeping, { migration, direction }: Step): Promise<'worked' | 'open'> {
  const { call, session, tables, scope, migrations } = keeping;
  const names = requiredBy(migration);
  // Behind a pooler a transaction is open: what is required was done when the gates were checked.
  if (names.length === 0 || direction === 'down' || scope === 'xact') return 'open';
  const read = async () => closedGates(names, await readProgress(session, tables, names));
  const closed = await read();
  if (closed.length === 0) return 'open';
  if (!mayFinish(keeping, migration)) throw closedError(migration, closed);
  call.report.info('backfill.required', { migration: migration.name, backfills: closed.map(({ name }) => name) });
  await whileBusy({ session, scope }, 'backfill', async () => {
    await workToTheEnd({ call, tables, names, definitionOf: definitionsIn(migrations) }, session);
  });
  const left = await read();
  if (left.length > 0) throw closedError(migration, left);
  return 'worked';
}

interface Closed {
  readonly name: string;
  readonly how: string;
}

function closedGates(names: readonly string[], progress: readonly BackfillProgress[]): Closed[] {
  return names.flatMap((name) => {
    const found = progress.find((each) => each.name === name);
    if (found?.status === 'done') return [];
    return [{ name, how: found ? describeProgress(found) : 'nobody has enqueued it' }];
  });
}

function closedError({ name }: LoadedMigration, closed: readonly Closed[]): MigrationError {
  const lines = closed.map((each) => `- ${each.name}: ${each.how}`);
  const message = [`${name} is not run before these backfills are done:`, ...lines].join('\n  ');
  const remedy = `See \`ensure-migrated backfill list\`: mend what stopped it and \`backfill retry\`, or \`backfill run\`; then start the service again. What ran before stays.`;
  return new MigrationError('EM_BACKFILL_UNFINISHED', message, { remedy });
}
