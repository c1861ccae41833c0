import type { Call } from './call.js';
import { digestOf, renderHistoryInsert, type JournalEntry, type Owner, type Tables } from './history/index.js';
import { renderStamp } from './journal-rows.js';
import type { Plan } from './plan.js';
import type { Session } from './session/index.js';
import { migrationId, type Migration } from './source/index.js';
import type { State } from './state.js';

export interface Adoption {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly migrations: readonly Migration[];
  readonly state: State & { readonly journal: readonly JournalEntry[] };
  /** Up to the baseline: recorded in history and journal without running, without a batch, so that knex's rollback leaves them alone. */
  readonly stamped: readonly Migration[];
}

/**
 * Records, in one message, the migrations up to the baseline, and the checksums of those that knex applied before there was a journal:
 * from then on an edit of them is noticed.
 */
export async function recordAdoption(adoption: Adoption): Promise<void> {
  const { call, session, tables, stamped } = adoption;
  const stamps = stamped.flatMap(({ name, checksum }) => [
    renderHistoryInsert(tables, name, null),
    renderStamp(adoption, name, { direction: 'up', status: 'done', checksum, breaking: true }),
  ]);
  const adopted = adoptedOf(adoption).map(({ name, checksum }) =>
    renderStamp(adoption, name, { direction: 'up', status: 'done', checksum, breaking: true, adopted: true }),
  );
  if (stamps.length + adopted.length === 0) return;
  await session.send([...stamps, ...adopted].join('\n'));
  if (stamped.length > 0) call.report.info('step.stamped', { baseline: stamped.at(-1)?.name, count: stamped.length });
}

// Applied, in the code, and never heard of by the journal.
function adoptedOf({ state, migrations }: Adoption): { name: string; checksum: string }[] {
  const journalled = new Set(state.journal.map(({ migration }) => migrationId(migration)));
  const checksums = new Map(migrations.map(({ id, checksum }) => [id, checksum]));
  return state.applied.flatMap((name) => {
    const checksum = checksums.get(migrationId(name));
    return checksum === undefined || journalled.has(migrationId(name)) ? [] : [{ name, checksum }];
  });
}

/** What the owner row keeps after a run; see {@link digestOfHistory}. */
export function digestAfter(adoption: Adoption, plan: Plan, names: readonly string[]): Pick<Owner, 'digest' | 'unknown'> {
  const recorded = recordedChecksums(adoption.state.journal);
  for (const { name, checksum } of [...adoptedOf(adoption), ...adoption.stamped]) recorded.set(migrationId(name), checksum);
  for (const { migration } of plan.steps) recorded.set(migration.id, migration.checksum);
  return digestOfHistory(names, recorded);
}

/** By migration id, the checksum that the journal has last recorded. */
export function recordedChecksums(journal: readonly JournalEntry[]): Map<string, string | undefined> {
  return new Map(journal.map(({ migration, detail }) => [migrationId(migration), detail.checksum]));
}

/** What the owner row keeps so that an up-to-date boot can compare all checksums in one round trip. Pure. */
export function digestOfHistory(
  names: readonly string[],
  recorded: ReadonlyMap<string, string | undefined>,
): Pick<Owner, 'digest' | 'unknown'> {
  const checksumOf = (name: string) => recorded.get(migrationId(name));
  return { digest: digestOf(names, checksumOf), unknown: names.filter((name) => checksumOf(name) === undefined) };
}
