import { migrationId, type Migration, type Replaced } from './source/index.js';

/** How the squashes among the files stand to the history of one database. */
export interface Squashed {
  /** Ids of squashes that never ran here, since all that they replace did. */
  readonly standing: ReadonlySet<string>;
  /** Ids of files that are neither applied nor pending: a squash, or what it replaces, where the other of the two has the say. */
  readonly skipped: ReadonlySet<string>;
  /** By id, what the history has of what squashes replace. */
  readonly accounted: ReadonlyMap<string, Replaced>;
  /** Replaced, not applied, and without a file, where others that the same squash replaces are applied. */
  readonly lacking: readonly string[];
}

const nothing: Squashed = { standing: new Set(), skipped: new Set(), accounted: new Map(), lacking: [] };

/**
 * Holds the squashes against a history. An empty one runs the squash and skips what it replaces; one that has run all of that has no need of the
 * squash; one in the middle runs the rest of it, where the files are there. Pure.
 */
export function squashedIn(migrations: readonly Migration[], applied: readonly string[]): Squashed {
  const squashes = migrations.filter(({ replaces }) => replaces !== undefined);
  if (squashes.length === 0) return nothing;
  const rows = new Set(applied.map(migrationId));
  const files = new Set(migrations.map(({ id }) => id));
  const each = squashes.map((squash) => standOf(squash, rows, files));
  return {
    standing: new Set(each.flatMap(({ standing }) => standing)),
    skipped: new Set(each.flatMap(({ skipped }) => skipped)),
    accounted: new Map(squashes.flatMap(replacedBy).flatMap((one) => (rows.has(one.id) ? [[one.id, one] as const] : []))),
    lacking: [...new Set(each.flatMap(({ lacking }) => lacking))],
  };
}

interface Stand {
  readonly standing: readonly string[];
  readonly skipped: readonly string[];
  readonly lacking: readonly string[];
}

function standOf(squash: Migration, rows: ReadonlySet<string>, files: ReadonlySet<string>): Stand {
  const replaced = replacedBy(squash);
  const ids = replaced.map(({ id }) => id);
  const covered = coveredBy(replaced, rows);
  if (rows.has(squash.id) || covered.size === 0) return { standing: [], skipped: ids, lacking: [] };
  // Of a squash that was squashed again, the row alone counts: where it has none, what it replaced has to be there.
  const left = replaced.filter(({ id, standsFor }) => standsFor === 'itself' && !covered.has(id));
  if (left.length === 0) return { standing: [squash.id], skipped: [squash.id], lacking: [] };
  const lacking = left.filter(({ id }) => !files.has(id)).map(({ name }) => name);
  return { standing: [], skipped: [squash.id], lacking };
}

function coveredBy(replaced: readonly Replaced[], rows: ReadonlySet<string>): ReadonlySet<string> {
  const covered = new Set<string>();
  for (const [index, { id, standsFor }] of replaced.entries()) {
    if (!rows.has(id)) continue;
    for (const each of standsFor === 'all above' ? replaced.slice(0, index + 1) : [{ id }]) covered.add(each.id);
  }
  return covered;
}

function replacedBy({ id, replaces = [] }: Migration): readonly Replaced[] {
  return replaces.filter((each) => each.id !== id);
}

/** The migrations that have made what a history says; in a scratch database they make it again. Pure. */
export function appliedAmong<Some extends Migration>(migrations: readonly Some[], applied: readonly string[]): Some[] {
  const rows = new Set(applied.map(migrationId));
  const { standing } = squashedIn(migrations, applied);
  return migrations.filter(({ id }) => rows.has(id) || standing.has(id));
}

/** The migrations that a history does not have yet. Pure. */
export function pendingAmong(migrations: readonly Migration[], applied: readonly string[]): readonly Migration[] {
  const rows = new Set(applied.map(migrationId));
  const { skipped } = squashedIn(migrations, applied);
  return migrations.filter(({ id }) => !rows.has(id) && !skipped.has(id));
}

/**
 * The first so many migrations, as a database records them that has never had others: a squash instead of what it replaces, unless the last of
 * them is a part of it. Pure.
 */
export function recordedAmong(migrations: readonly Migration[], count: number): readonly Migration[] {
  const first = migrations.slice(0, count);
  const last = first.at(-1)?.id;
  const isWhole = (squash: Migration) => !replacedBy(squash).some(({ id }) => id === last);
  const squashes = first.filter((each) => each.replaces !== undefined);
  if (squashes.length === 0) return first;
  const left = new Set(squashes.flatMap((squash) => (isWhole(squash) ? replacedBy(squash).map(({ id }) => id) : [squash.id])));
  return first.filter(({ id }) => !left.has(id));
}

/** The squash that replaces a migration, by its name or a part that only its name has. Pure. */
export function squashOf(
  wanted: string,
  migrations: readonly Migration[],
): { readonly squash: Migration; readonly replaced: Replaced } | undefined {
  const all = migrations.flatMap((squash) => replacedBy(squash).map((replaced) => ({ squash, replaced })));
  const exact = all.filter(({ replaced }) => replaced.id === migrationId(wanted));
  const found = exact.length > 0 ? exact : all.filter(({ replaced }) => wanted !== '' && replaced.name.includes(wanted));
  return new Set(found.map(({ replaced }) => replaced.id)).size === 1 ? found.at(-1) : undefined;
}
