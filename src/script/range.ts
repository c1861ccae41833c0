import { MigrationError } from '../errors.js';
import type { Migration } from '../source/index.js';
import { recordedAmong } from '../squashed.js';
import { findRevision } from '../state.js';

/** From where to where a script leads. */
export interface Range {
  readonly direction: 'up' | 'down';
  /** What is applied where it starts, in the order of the code. */
  readonly standing: readonly Migration[];
  /** What it applies, or takes back, in the order in which it does. */
  readonly migrations: readonly Migration[];
  /** What is applied where it ends. */
  readonly left: readonly Migration[];
}

/**
 * Reads `from:to`. Either side may be left out, for base and head; a single name is the end of a way up from base. Pure; throws
 * EM_PLAN_REFUSED for a side that names no or several migrations, and where both are the same.
 */
export function selectRange(range: string | undefined, migrations: readonly Migration[]): Range {
  const [from, to] = sidesOf(range ?? '', migrations);
  if (from === to) throw refused(`the range '${range ?? ''}' ends where it starts`);
  const [standing, left] = [recordedAmong(migrations, from), recordedAmong(migrations, to)];
  const added = (one: readonly Migration[], other: readonly Migration[]) => one.filter((each) => !other.includes(each));
  refuseInside(range ?? '', from < to ? [standing, left] : [left, standing]);
  if (from < to) return { direction: 'up', standing, migrations: added(left, standing), left };
  return { direction: 'down', standing, migrations: added(standing, left).reverse(), left };
}

function sidesOf(range: string, migrations: readonly Migration[]): [from: number, to: number] {
  const sides = range.split(':');
  if (sides.length > 2) throw refused(`'${range}' is no range`);
  const [from = '', to = ''] = sides.length === 2 ? sides : ['', range];
  return [countAt(from || 'base', migrations), countAt(to || 'head', migrations)];
}

// From inside of what a squash replaces no way leads past it: where it has run there was no inside.
function refuseInside(range: string, [less, more]: readonly [readonly Migration[], readonly Migration[]]): void {
  if (less.every((each) => more.includes(each))) return;
  throw refused(`the range '${range}' starts or ends inside of what a squash replaces`);
}

// How many migrations are applied there.
function countAt(side: string, migrations: readonly Migration[]): number {
  if (side === 'base') return 0;
  if (side === 'head') return migrations.length;
  return migrations.indexOf(findRevision(side, migrations, 'the range')) + 1;
}

function refused(message: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, {
    remedy: 'Give two revisions as from:to, such as base:head; to before from takes migrations back.',
  });
}
