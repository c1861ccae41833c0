import type { OnFailure } from './config/index.js';
import { isMigrationError, MigrationError, type Member } from './errors.js';
import type { Finding } from './finding.js';
import type { Outcome } from './outcome.js';

/** Several databases, or tenants, that are brought to head side by side. */
export interface Fleet {
  /** What each of them is, for the messages. */
  readonly kind: 'database' | 'tenant';
  readonly names: readonly string[];
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
 * Runs all of them, at most `concurrency` at once, begun in their order. Those at work when another one fails are never stopped for it. Throws
 * EM_NOT_ALL_MIGRATED, with what each came to in `members`, unless all of them are at head; when told to stop the reason of `stop`, an EM_ABORTED with the same.
 */
export async function runFleet(fleet: Fleet): Promise<readonly Member[]> {
  const members = new Map<string, Member>();
  const first = fleet.names.slice(0, fleet.canary);
  await runSome(fleet, first, members);
  if ([...members.values()].every(({ status }) => status !== 'failed')) await runSome(fleet, fleet.names.slice(first.length), members);
  const all = Object.freeze(fleet.names.map((name): Member => members.get(name) ?? Object.freeze({ name, status: 'not-begun' })));
  if (fleet.stop.aborted) throw stoppedBy(fleet.stop.reason, all);
  if (all.some(({ outcome }) => outcome === undefined)) throw notAllMigrated(fleet, all);
  return all;
}

async function runSome(
  { run, concurrency, onFailure, stop }: Fleet,
  names: readonly string[],
  members: Map<string, Member>,
): Promise<void> {
  const limit = onFailure === 'stop' ? 0 : onFailure === 'continue' ? Infinity : onFailure.max;
  let failedCount = 0;
  await inLanes(names, concurrency, async (name) => {
    const member = await runOne(name, run);
    members.set(name, member);
    if (member.error) failedCount++;
    return failedCount > limit || stop.aborted ? 'begin no more' : 'go on';
  });
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
    return Object.freeze({ name, status: 'failed', error: error as MigrationError });
  }
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
