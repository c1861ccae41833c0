import { counted } from './counted.js';
import type { Config } from './config/index.js';
import { MigrationError } from './errors.js';
import { migrationId, recordedName, type LoadedMigration, type Migration, type MigrationCode, type SqlScript } from './source/index.js';
import { squashedIn, squashOf } from './squashed.js';
import { findRevision, type State } from './state.js';

/** Where to: the newest revision, none, a revision by its name or a unique part of it, or so many migrations from where the database stands. */
export type Target = 'head' | 'base' | { readonly to: string } | { readonly steps: number };

/** One migration to run, and how. */
export interface Step {
  readonly migration: LoadedMigration;
  /** The name for the history, in the form that the history already uses. */
  readonly name: string;
  readonly direction: 'up' | 'down';
  /** The migration's `up`, or its `down`. */
  readonly code: MigrationCode | SqlScript;
  /** k of n, counted from 1. */
  readonly number: number;
  readonly of: number;
  readonly transaction: boolean;
}

/** What will run, decided before anything does. A dry run is a Plan that is not applied. */
export interface Plan {
  readonly steps: readonly Step[];
  /** `each`: a transaction per migration. `all`: one for the set. */
  readonly transaction: 'each' | 'all';
}

/** How the steps of a plan may run. */
export interface PlanOptions {
  readonly transaction: Config['transaction'];
  readonly disableTransactions: boolean;
  readonly pooled: boolean;
}

export interface PlanRequest extends PlanOptions {
  readonly pending: readonly LoadedMigration[];
  readonly applied: readonly string[];
  /** All of the code. */
  readonly migrations: readonly Pick<Migration, 'name'>[];
}

/** Decides how the pending migrations run. Pure; throws EM_PLAN_REFUSED where the options cannot be met. */
export function planUpgrade({ pending, applied, migrations, ...options }: PlanRequest): Plan {
  const files = migrations.map(({ name }) => name);
  const steps = pending.map((migration) => ({ migration, name: recordedName(migration.name, applied, files) }));
  return planSteps(steps, 'up', options);
}

export interface DowngradeRequest extends PlanOptions {
  /** Newest first: the reverse of the order in which they ran. `name` is as the history has it. */
  readonly undone: readonly { readonly name: string; readonly migration: LoadedMigration }[];
}

/** Decides how migrations are taken back. Pure; throws EM_PLAN_REFUSED where one of them has no `down`, or the options cannot be met. */
export function planDowngrade({ undone, ...options }: DowngradeRequest): Plan {
  const without = undone.filter(({ migration }) => migration.down === undefined).map(({ name }) => name);
  if (without.length > 0)
    throw refused(`cannot be taken back, since they have no down: ${without.join(', ')}`, 'Write the missing down, or restore a backup.');
  return planSteps(undone, 'down', options);
}

type Planned = Pick<Step, 'migration' | 'name'>;

function planSteps(planned: readonly Planned[], direction: Step['direction'], options: PlanOptions): Plan {
  const { transaction, disableTransactions, pooled } = options;
  const steps = planned.map(({ migration, name }, index) => ({
    migration,
    name,
    direction,
    code: migration[direction] as Step['code'], // an up is always there, and a missing down was refused
    number: index + 1,
    of: planned.length,
    transaction: migration.config.transaction ?? !disableTransactions,
  }));
  const outside = steps.filter((step) => !step.transaction).map(({ name }) => name);
  if (outside.length > 0 && pooled) {
    const remedy = 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler.';
    throw refused(`cannot run outside a transaction behind a connection pooler: ${outside.join(', ')}`, remedy);
  }
  if (outside.length > 0 && transaction === 'all') {
    const message = `transaction: 'all' was asked for, but these migrations run outside a transaction: ${outside.join(', ')}`;
    throw refused(message, "Use transaction: 'each' for this release.");
  }
  return { steps, transaction: pooled ? 'all' : transaction };
}

/**
 * The pending migrations that lie on the way up to the target, in their order; none when the database stands there already. Pure; throws
 * EM_PLAN_REFUSED for a target that is not ahead.
 */
export function selectPending(target: Target, { pending, applied }: State, migrations: readonly Migration[]): readonly Migration[] {
  if (target === 'head') return pending;
  if (target === 'base') throw refused('an upgrade does not lead to base', 'Use downgrade to go back.');
  if ('steps' in target) return selectSteps(target.steps, pending, 'pending');
  const revision = findRevision(target.to, migrations, 'the target');
  const last = migrations.indexOf(revision);
  const selected = pending.filter((migration) => migrations.indexOf(migration) <= last);
  const isReached = selected.includes(revision) || isRevision(revision, applied) || isStanding(revision, migrations, applied);
  if (isReached || (revision.replaces && selected.length > 0)) return selected; // the rest of what a squash replaces leads to it, too
  const whole = squashedWith(revision, pending);
  if (whole) throw partOf(revision.name, whole);
  throw refused(`${revision.name} is applied already, and the database is past it`, 'Use downgrade to go back to it.');
}

/**
 * The applied migrations that have to be taken back to reach the target, newest first: the reverse of the order in which they ran. Pure;
 * throws EM_PLAN_REFUSED for a target that is not behind, and for a revision that is not applied.
 */
export function selectApplied(target: Target, applied: readonly string[]): readonly string[] {
  const newestFirst = [...applied].reverse();
  if (target === 'base') return newestFirst;
  if (target === 'head') throw refused('a downgrade does not lead to head', 'Use upgrade to go there.');
  if ('steps' in target) return selectSteps(target.steps, newestFirst, 'applied');
  const named = newestFirst.map((name) => ({ name, id: migrationId(name) }));
  return newestFirst.slice(0, named.indexOf(findRevision(target.to, named, 'among the applied migrations the target')));
}

/**
 * The target of a downgrade, where a squash has to do with it: one that stands for what was applied before it means the last of that. Pure; throws
 * EM_PLAN_REFUSED for a revision that this database has never been at, since a squash ran in its place.
 */
export function targetAmong(target: Target, migrations: readonly Migration[], applied: readonly string[]): Target {
  if (typeof target === 'string' || 'steps' in target) return target;
  const isApplied = applied.some((name) => migrationId(name) === migrationId(target.to));
  const replaced = migrations.find(({ id }) => id === migrationId(target.to))?.replaces ?? [];
  const last = applied.findLast((name) => replaced.some(({ id }) => id === migrationId(name))); // in the order in which they ran
  if (last !== undefined && !isApplied) return { to: last };
  const part = squashOf(target.to, migrations);
  if (part === undefined || applied.some((name) => name.includes(target.to))) return target;
  throw partOf(part.replaced.name, part.squash.name);
}

function isStanding(revision: Migration, migrations: readonly Migration[], applied: readonly string[]): boolean {
  const newest = applied.at(-1);
  const isLast = revision.replaces?.some(({ id }) => newest !== undefined && migrationId(newest) === id) ?? false;
  return isLast && squashedIn(migrations, applied).standing.has(revision.id);
}

function squashedWith({ id }: Migration, pending: readonly Migration[]): string | undefined {
  return pending.find(({ replaces }) => replaces?.some((each) => each.id === id))?.name;
}

function partOf(name: string, squash: string): MigrationError {
  return refused(`${name} is a part of ${squash}, which runs as one`, `Give ${squash}, or a revision after it.`);
}

function selectSteps<Item>(steps: number, items: readonly Item[], which: 'pending' | 'applied'): readonly Item[] {
  if (!Number.isInteger(steps) || steps < 1) throw refused(`the number of steps is ${steps}`, 'Give a whole number from 1 up.');
  const there = `there ${items.length === 1 ? 'is' : 'are'} ${counted(items.length, `${which} migration`)}`;
  if (steps > items.length) throw refused(`asked for ${counted(steps, 'step')}, and ${there}`, 'Ask for fewer steps.');
  return items.slice(0, steps);
}

function isRevision({ id }: Migration, applied: readonly string[]): boolean {
  const newest = applied.at(-1);
  return newest !== undefined && migrationId(newest) === id;
}

function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was changed.` });
}
