import { callUnder, memberCall, type Call } from '../call.js';
import { mainStream, resolveConfig, type Options } from '../config/index.js';
import { isMigrationError, withLine } from '../errors.js';
import type { Outcome, Phase } from '../outcome.js';
import { loggerThrough } from '../log.js';
import { asMigrationError } from '../run-call.js';
import { listMigrations, type Migration } from '../source/index.js';
import { optionsOf } from './options.js';
import type { Ordered } from './order.js';

/** One stream of a call: its own options, voice and migrations. */
export interface Stream extends Ordered {
  readonly options: Options;
  /** Its events name the stream; its patience is that of the whole call. */
  readonly call: Call;
  readonly migrations: readonly Migration[];
}

/** The streams of a call, `main` last, with their migrations listed. Reads files; connects to nothing. Throws EM_NO_MIGRATIONS, EM_MIGRATION_INVALID. */
export async function listStreams(call: Call, options: Options): Promise<readonly Stream[]> {
  const all = [...call.config.streams, { name: mainStream, after: [] }];
  return await Promise.all(all.map(async (each) => await listStream(call, options, each)));
}

async function listStream(call: Call, options: Options, { name, after }: Pick<Ordered, 'name' | 'after'>): Promise<Stream> {
  const own = { ...optionsOf(name, options, call.config), replicas: undefined }; // looked at once, for all streams
  const member = sharing(call, memberCall(call, resolveConfig(own), { stream: name }));
  const migrations = await naming(name, member, async () => await listMigrations(member.config.migrations));
  return { name, after, migrations, call: member, options: { ...own, ...voiceOf(member, options) } };
}

// Who works in the background afterwards speaks through the same report; progress is told where somebody listens to it.
function voiceOf({ report }: Call, { onProgress }: Options): Pick<Options, 'logger' | 'onProgress'> {
  return { logger: loggerThrough(report, {}), onProgress: onProgress && (() => undefined) };
}

// One after the other, they wait no longer in all than one call may.
function sharing(call: Call, member: Call): Call {
  return Object.create(member, {
    patienceMs: { get: () => call.patienceMs },
    spend: { value: (ms: number) => call.spend(ms) },
    wait: { value: async (ms: number, wake?: Promise<unknown>) => await call.wait(ms, wake) },
  }) as Call;
}

/** The same stream where a backup has been taken already: one, from before the first change, is enough. */
export function withoutBackup(stream: Stream): Stream {
  return { ...stream, call: callUnder(stream.call, { backup: false }) };
}

/** Does the work of one stream: its name stands in what that throws. */
export async function naming<T>(name: string, call: Call, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Told to stop, the call has one reason for all that it does.
    throw isMigrationError(error, 'EM_ABORTED') ? error : withLine(asMigrationError(call, error), `stream: ${name}`);
  }
}

/** The durations of the call's own phases and of those of its streams, added up. */
export function timingsOf(call: Call, streams: readonly Stream[]): Outcome['timings'] {
  const all = [call, ...streams.map((stream) => stream.call)].flatMap(({ report }) => Object.entries(report.timings) as [Phase, number][]);
  const timings: Partial<Record<Phase, number>> = {};
  for (const [phase, ms] of all) timings[phase] = (timings[phase] ?? 0) + ms;
  return timings;
}
