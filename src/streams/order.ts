import { mainStream, type After } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { migrationId, type Migration } from '../source/index.js';
import { squashOf } from '../squashed.js';

/** A stream, as far as its order among others goes. */
export interface Ordered {
  readonly name: string;
  readonly after: readonly After[];
  /** Undefined where they were not listed: a revision that others name is taken for one that is there. */
  readonly migrations?: readonly Migration[];
}

/** A part of a stream, which is brought up to there in one go. */
export interface Segment {
  readonly stream: string;
  readonly to: 'head' | { readonly to: string };
}

/** A part of a stream that is not in its place yet. */
interface Stretch extends Segment {
  readonly key: string;
  /** The keys of those that come before it. */
  readonly needs: readonly string[];
}

/**
 * The order in which streams are brought to head, each in as few segments as their `after` allow: those of the list in its order, `main` as late as it can be.
 * Pure; throws EM_CONFIG_INVALID with every revision that is not there, and every circle.
 */
export function orderStreams(streams: readonly Ordered[]): readonly Segment[] {
  const problems: string[] = [];
  const cuts = streams.flatMap((stream) => stream.after.flatMap((after) => cutOf(after, { stream, streams, problems })));
  const sorted = sort(
    streams.flatMap((stream) => stretchesOf(stream, cuts)),
    problems,
  );
  if (problems.length > 0) throw new MigrationError('EM_CONFIG_INVALID', ['the options are not valid:', ...problems].join('\n  '));
  return sorted.filter(({ stream }, index) => stream !== sorted[index + 1]?.stream).map(({ stream, to }) => ({ stream, to }));
}

/** A revision of a stream that another one, or itself, comes after. */
interface Cut {
  readonly by: string;
  readonly stream: string;
  /** As `after` names it. */
  readonly wanted: string;
  readonly revision: string;
  readonly position: number;
}

interface Cutting {
  readonly stream: Ordered;
  readonly streams: readonly Ordered[];
  readonly problems: string[];
}

function cutOf({ stream, revision: wanted }: After, { stream: { name: by }, streams, problems }: Cutting): Cut[] {
  const migrations = streams.find(({ name }) => name === stream)?.migrations;
  if (wanted === undefined) return [];
  if (migrations === undefined) return [{ by, stream, wanted, revision: wanted, position: 0 }];
  const matches = revisionsCalled(wanted, migrations);
  const [revision] = matches;
  if (revision !== undefined && matches.length === 1)
    return [{ by, stream, wanted, revision: revision.name, position: migrations.indexOf(revision) }];
  const what = revision === undefined ? 'no migration there' : `several: ${matches.map(({ name }) => name).join(', ')}`;
  problems.push(`streams.${by}.after: expected a revision of ${stream}; got ${JSON.stringify(wanted)}, which names ${what}`);
  return [];
}

// What a squash replaces is there once the squash is.
function revisionsCalled(wanted: string, migrations: readonly Migration[]): readonly Migration[] {
  const exact = migrations.filter(({ id }) => id === migrationId(wanted));
  if (exact.length > 0 || wanted === '') return exact;
  const parts = migrations.filter(({ name }) => name.includes(wanted));
  const squash = parts.length === 0 ? squashOf(wanted, migrations)?.squash : undefined;
  return squash === undefined ? parts : [squash];
}

function stretchesOf({ name, after }: Ordered, cuts: readonly Cut[]): Stretch[] {
  const ends = cuts.filter(({ stream }) => stream === name).sort((one, other) => one.position - other.position);
  const revisions = [...new Set(ends.map(({ revision }) => revision))];
  const own = after.map(({ stream, revision: wanted }) => {
    const cut = cuts.find((each) => each.by === name && each.stream === stream && each.wanted === wanted);
    return cut === undefined ? stream : keyOf(stream, cut.revision);
  });
  const keys = [...revisions.map((revision) => keyOf(name, revision)), name];
  return keys.map((key, index) => {
    const revision = revisions[index];
    return {
      key,
      stream: name,
      to: revision === undefined ? 'head' : { to: revision },
      needs: index === 0 ? own : keys.slice(index - 1, index),
    };
  });
}

const keyOf = (stream: string, revision: string) => `${stream}@${revision}`;

function sort(stretches: readonly Stretch[], problems: string[]): readonly Stretch[] {
  const left = [...stretches];
  const placed: Stretch[] = [];
  for (;;) {
    const ready = left.filter(({ needs }) => !left.some(({ key }) => needs.includes(key)));
    const next = ready.find(({ stream }) => stream !== mainStream) ?? ready[0];
    if (next === undefined) break;
    placed.push(next);
    left.splice(left.indexOf(next), 1);
  }
  problems.push(...circlesIn(left).map((circle) => `streams: expected an order; got a circle of after: ${circle.join(' -> ')}`));
  return placed;
}

/** Each circle once, by the names of its streams; the first one stands at its end again. */
function circlesIn(left: readonly Stretch[]): string[][] {
  const found = new Map<string, string[]>();
  for (const start of left) {
    const names = circleFrom(start, left).map(({ stream }) => stream);
    const circle = names.filter((name, index) => name !== names.at(index - 1));
    const key = [...new Set(names)].sort().join();
    found.set(
      key,
      found.get(key) ?? (circle.length === 0 ? [...names.slice(0, 1), ...names.slice(0, 1)] : [...circle, circle[0] as string]),
    );
  }
  return [...found.values()];
}

// Everything that is left waits for something that is left, so that the way back comes to where it was before.
function circleFrom(start: Stretch, left: readonly Stretch[]): Stretch[] {
  const way: Stretch[] = [];
  let at: Stretch | undefined = start;
  while (at !== undefined && !way.includes(at)) {
    way.push(at);
    const { needs }: Stretch = at;
    at = left.find(({ key }) => needs.includes(key));
  }
  return at === undefined ? [] : way.slice(way.indexOf(at));
}
