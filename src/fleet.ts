import { stopLimitMs, untilStopped } from './call.js';
import type { OnFailure } from './config/index.js';
import { isMigrationError, MigrationError, type Member } from './errors.js';
import type { Finding } from './finding.js';
import type { Outcome } from './outcome.js';

/** Several databases, or tenants, that are brought to head side by side. */
export interface Fleet {
  /** What each of them is, for the messages. */
  readonly kind: 'database' | 'tenant';
  readonly names: readonly string[];
  /** The order in which they are begun. Default: that of the names. */
  readonly order?: readonly string[];
  /** Brings one to head. What it throws is a {@link MigrationError}. */
  readonly run: (name: string) => Promise<Outcome>;
  readonly concurrency: number;
  /** So many go first; the others are begun only when all of these are at head, whatever `onFailure` says. */
  readonly canary: number;
  readonly onFailure: OnFailure;
  /** Once aborted no more are begun; those at work hear of it by themselves. */
  readonly stop: AbortSignal;
}

/**
 * Runs all of them, at most `concurrency` at once. Those at work when another one fails are never stopped for it. Throws EM_NOT_ALL_MIGRATED, with what each came
 * to in `members`, in the order of the names, unless all of them are at head; when told to stop the reason of `stop`, an EM_ABORTED with the same, where one that has not
 * ended within the limit of {@link stopLimitMs} has failed with that reason.
 */
export async function runFleet(fleet: Fleet): Promise<readonly Member[]> {
  const { kind, names, order = names, stop } = fleet;
  const begun = new Map<string, Member | undefined>();
  const running = runInOrder(fleet, order, begun);
  await untilStopped(running, { stop, limitMs: stopLimitMs[kind] }).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
  const cameTo = (name: string) => begun.get(name) ?? (begun.has(name) ? failed(name, stop.reason) : notBegun(name));
  const all = Object.freeze(names.map(cameTo));
  if (stop.aborted) throw stoppedBy(stop.reason, all);
  if (all.some(({ outcome }) => outcome === undefined)) throw notAllMigrated(fleet, all);
  return all;
}

async function runInOrder(fleet: Fleet, order: readonly string[], begun: Map<string, Member | undefined>): Promise<void> {
  const { canary, stop } = fleet;
  await runSome(fleet, order.slice(0, canary), begun);
  const isSound = [...begun.values()].every((member) => member?.status !== 'failed');
  if (isSound && !stop.aborted) await runSome(fleet, order.slice(canary), begun);
}

// Sets undefined for each that begins, and what it came to when it ends.
async function runSome(
  { kind, run, concurrency, onFailure, stop }: Fleet,
  names: readonly string[],
  begun: Map<string, Member | undefined>,
): Promise<void> {
  const limit = onFailure === 'stop' ? 0 : onFailure === 'continue' ? Infinity : onFailure.max;
  let failedCount = 0;
  await inLanes(names, concurrency, async (name) => {
    begun.set(name, undefined);
    const member = await runOne(name, run);
    begun.set(name, member);
    if (member.error) failedCount++;
    return failedCount > limit || stop.aborted || isOfAll(kind, member) ? 'begin no more' : 'go on';
  });
}

// Tenants have one server: where it does not answer each of a thousand would try for `timeouts.connectMs`.
function isOfAll(kind: Fleet['kind'], { error }: Member): boolean {
  return kind === 'tenant' && error?.code === 'EM_CONNECT_TIMEOUT';
}

/** Works on all of a list, at most `width` of it at once, begun in its order, until one says to begin no more. The first that throws is thrown on. */
export async function inLanes<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item, index: number) => Promise<'go on' | 'begin no more'>,
): Promise<void> {
  const waiting = items.entries(); // one iterator for all lanes
  let isOver = false;
  const lane = async () => {
    for (const [index, item] of waiting) {
      if (isOver) return;
      if ((await work(item, index)) === 'begin no more') isOver = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}

async function runOne(name: string, run: Fleet['run']): Promise<Member> {
  try {
    const outcome = await run(name);
    return Object.freeze({ name, status: outcome.status, outcome });
  } catch (error) {
    return failed(name, error);
  }
}

function failed(name: string, error: unknown): Member {
  return Object.freeze({ name, status: 'failed', error: error as MigrationError });
}

function notBegun(name: string): Member {
  return Object.freeze({ name, status: 'not-begun' });
}

// One of its own: those that were at work have the reason itself as their error.
function stoppedBy(reason: unknown, members: readonly Member[]): unknown {
  if (!isMigrationError(reason, 'EM_ABORTED')) return reason;
  const [what = ''] = reason.message.split('\n');
  return new MigrationError(reason.code, what, { cause: reason.cause, members });
}

function notAllMigrated({ kind, names }: Fleet, members: readonly Member[]): MigrationError {
  const failed = members.flatMap(({ error }) => (error ? [error] : []));
  const waiting = members.filter(({ status }) => status === 'not-begun');
  const findings = members.flatMap((member) => findingOf(kind, member));
  const counts = [`${failed.length} failed`, ...(waiting.length > 0 ? [`${waiting.length} not begun`] : [])];
  const lines = findings.map(({ message }) => `- ${message.replaceAll('\n', '\n    ')}`);
  const title = `${failed.length + waiting.length} of ${names.length} ${kind}s are not at head (${counts.join(', ')}):`;
  return new MigrationError('EM_NOT_ALL_MIGRATED', [title, ...lines].join('\n  '), {
    findings,
    members,
    cause: new AggregateError(failed, counts.join(', ')),
    ...(failed.every(({ retryable }) => retryable) && { exit: 75 }),
  });
}

function findingOf(kind: Fleet['kind'], { name, status, error }: Member): Finding[] {
  if (error)
    return [{ code: 'not-migrated', level: 'error', message: `${kind} ${name}: ${error.code}: ${error.message}`, remedy: error.remedy }];
  if (status !== 'not-begun') return [];
  const remedy = 'Mend those that have failed, then run the same call again: it goes on where this one stopped.';
  return [{ code: 'not-migrated', level: 'warn', message: `${kind} ${name}: not begun`, remedy }];
}
