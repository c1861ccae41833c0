import { mainStream, type After } from '../config/index.js';
import { MigrationError } from '../errors.js';
import type { Migration } from '../source/index.js';
import { findRevision } from '../state.js';

/** A stream with the migrations of its code. */
export interface Ordered {
  readonly name: string;
  readonly after: readonly After[];
  readonly migrations: readonly Migration[];
}

/** A stretch of one stream that is run before the next one begins. */
export interface Segment {
  readonly stream: string;
  /** `head`, or the name of a migration. */
  readonly to: 'head' | { readonly to: string };
}

/**
 * The order in which streams are brought to head. What a stream comes after is brought to its head first. The application's own migrations come last, since they may use
 * what the others make; where a stream comes after one of their revisions they stop there, and go on once it is at head. Pure; throws EM_CONFIG_INVALID for a circle, and for a
 * revision that is none.
 */
export function orderStreams(streams: readonly Ordered[], main: readonly Migration[]): readonly Segment[] {
  const sorted = sortStreams(streams);
  const turns = turnsOf(sorted, streams, main);
  const stops = [...new Set(turns.values())].filter((stop) => stop >= 0 && stop < main.length).sort((a, b) => a - b);
  const at = (stop: number): Segment[] =>
    sorted.filter(({ name }) => turns.get(name) === stop).map(({ name }) => ({ stream: name, to: 'head' }));
  return [
    ...at(-1),
    ...stops.flatMap((stop): Segment[] => [{ stream: mainStream, to: { to: main[stop]?.name ?? '' } }, ...at(stop)]),
    { stream: mainStream, to: 'head' },
    ...at(main.length),
  ];
}

// Each after all that it comes after, else in the order of the list.
function sortStreams(streams: readonly Ordered[]): readonly Ordered[] {
  const byName = new Map(streams.map((stream) => [stream.name, stream]));
  const sorted = new Set<Ordered>();
  const add = (stream: Ordered, path: readonly string[]) => {
    if (path.includes(stream.name)) throw refused(`the streams go round in a circle: ${[...path, stream.name].join(' after ')}`);
    for (const { stream: other } of stream.after) {
      const needed = byName.get(other);
      if (needed) add(needed, [...path, stream.name]);
    }
    sorted.add(stream);
  };
  for (const stream of streams) add(stream, []);
  return [...sorted];
}

// By stream, the index of the application's migration after which it has its turn: -1 before the first of them, their number after the last.
function turnsOf(sorted: readonly Ordered[], streams: readonly Ordered[], main: readonly Migration[]): ReadonlyMap<string, number> {
  const migrationsOf = new Map([[mainStream, main], ...streams.map(({ name, migrations }) => [name, migrations] as const)]);
  const turns = new Map<string, number>();
  for (const { name, after } of sorted) {
    const own = after.map(({ stream, revision }) => {
      const migrations = migrationsOf.get(stream) ?? [];
      const index = revision === undefined ? migrations.length : indexOf(migrations, { of: stream, revision, asked: name });
      return stream === mainStream ? index : (turns.get(stream) ?? -1);
    });
    turns.set(name, Math.max(-1, ...own));
  }
  return turns;
}

function indexOf(
  migrations: readonly Migration[],
  { of, revision, asked }: { readonly of: string; readonly revision: string; readonly asked: string },
): number {
  try {
    return migrations.indexOf(findRevision(revision, migrations, ''));
  } catch (cause) {
    throw refused(`the stream ${asked} comes after ${of}@${revision}, which is none of the migrations of ${of}, or several`, cause);
  }
}

function refused(message: string, cause?: unknown): MigrationError {
  const remedy = 'Correct `after` in the streams. Nothing was changed.';
  return new MigrationError('EM_CONFIG_INVALID', message, { remedy, cause });
}
