import type { Call } from '../call.js';
import { mainStream, type Options } from '../config/index.js';
import type { MigrationError } from '../errors.js';
import type { Outcome } from '../outcome.js';
import { openDatabase, type Listing } from '../run-call.js';
import { listingOf, lookFirst } from './first-look.js';
import { orderStreams, type Segment } from './order.js';
import { reachRevision } from './reach.js';
import { listStreams, naming, timingsOf, withoutBackup, type Stream } from './stream.js';
import { tell, tellFailed, type Done } from './told.js';

export interface StreamsRequest {
  /** Of the whole call. */
  readonly options: Options;
  /** Brings one history to head, on a connection of its own. */
  readonly bootOne: (call: Call, booting: { readonly options: Options; readonly listing: Listing }) => Promise<Outcome>;
}

/**
 * Brings all streams to head, in the order of their `after`, each segment by the very boot of a database that has one history only: with a lock, an owner row and
 * a journal of its own. Where all are in sync it takes one connection, a round trip for each stream and no lock, and writes nothing. Throws EM_CONFIG_INVALID for
 * an order that does not exist, before it connects; the error of the first stream that fails, which names it: those after it are not begun.
 */
export async function ensureStreams(call: Call, request: StreamsRequest): Promise<Outcome> {
  const listed = await listStreams(call, request.options);
  const segments = orderStreams(listed);
  const seen = await lookFirst(call, listed);
  if ('outcome' in seen) return seen.outcome;
  // An existing database is adopted first: the history of any stream would account for its tables.
  const adoption = seen.found === 'unadopted' ? [{ stream: mainStream, to: { to: call.config.baseline as string } }] : [];
  const outcome = await runSegments(call, { ...request, listed, segments: [...adoption, ...segments] });
  return await awaitReplicas(call, outcome, listed.at(-1) as Stream);
}

interface Run extends StreamsRequest {
  readonly listed: readonly Stream[];
  readonly segments: readonly Segment[];
}

async function runSegments(call: Call, { segments, ...run }: Run): Promise<Outcome> {
  const done: Done[] = [];
  const told = () => tell(call, done, timingsOf(call, run.listed));
  // A call that only verifies asks for head.
  for (const segment of segments.filter(({ to }) => to === 'head' || call.config.mode !== 'verify')) {
    const stream = streamOf(segment, run.listed, done);
    try {
      call.stop.throwIfAborted();
      const outcome = await naming(stream.name, stream.call, async () => await runSegment(stream, segment, run));
      done.push({ stream: stream.name, outcome });
    } catch (error) {
      throw tellFailed(error as MigrationError, stream.name, told());
    }
  }
  return told();
}

function streamOf(segment: Segment, listed: readonly Stream[], done: readonly Done[]): Stream {
  const stream = listed.find(({ name }) => name === segment.stream) as Stream;
  return done.some(({ outcome }) => outcome.backup !== undefined) ? withoutBackup(stream) : stream;
}

async function runSegment(stream: Stream, { to }: Segment, { bootOne }: StreamsRequest): Promise<Outcome> {
  const { call, options } = stream;
  const listing = listingOf(stream);
  if (to === 'head') return await bootOne(call, { options, listing });
  await using opened = await openDatabase(call, listing);
  return await reachRevision(opened, to.to);
}

// After the last commit of all streams.
async function awaitReplicas(call: Call, outcome: Outcome, main: Stream): Promise<Outcome> {
  if (call.config.replicas.length === 0) return outcome;
  await using opened = await openDatabase(call, listingOf(main));
  return await (await import('../replicas/index.js')).waitForReplicas(opened, outcome, 'pending');
}
