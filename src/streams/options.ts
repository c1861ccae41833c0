import { mainStream, resolveConfig, type Config, type Options, type StreamSettings } from '../config/index.js';
import { orderStreams, type Ordered } from './order.js';

/** One stream, with the options of every function of the library for it alone. */
export interface StreamPlace {
  readonly name: string;
  readonly options: Options;
}

/**
 * The streams of the options, the application's own `main` among them, in the order in which they come to head; none where the options name none. Lists no files
 * and connects to nothing. Throws EM_CONFIG_INVALID.
 */
export function streamsOf(options: Options): readonly StreamPlace[] {
  const config = resolveConfig({ ...options, mode: 'off' }); // it need not say which database
  if (config.streams.length === 0) return [];
  const ordered: readonly Ordered[] = [...config.streams.map(({ name, after }) => ({ name, after })), { name: mainStream, after: [] }];
  const names = orderStreams(ordered).flatMap(({ stream, to }) => (to === 'head' ? [stream] : []));
  return names.map((name) => ({ name, options: optionsOf(name, options, config) }));
}

/** The options for one stream alone. Pure. */
export function optionsOf(name: string, options: Options, { streams, migrations }: Config): Options {
  const stream = streams.find((each) => each.name === name);
  const { streams: _, ...own } = options;
  const rules = { ...options.rules, 'schema-drift': 'off' } as const; // nothing can be said of it where several histories share a database
  return stream === undefined ? { ...own, rules } : { ...withoutMain(own), rules, migrations: keysOf(stream, options, migrations) };
}

// What names revisions of the application's own, or is about its schema.
function withoutMain({ baseline: _, schema: __, lint, ...shared }: Options): Options {
  const { from: ___, ...limits } = lint === false ? {} : (lint ?? {});
  return { ...shared, lint: lint === false ? false : limits };
}

function keysOf(stream: StreamSettings, { knex }: Options, { schemaName }: Config['migrations']): Options['migrations'] {
  return { ...(knex && noHooks), ...(schemaName !== undefined && { schemaName }), ...stream.migrations };
}

// Those in the configuration of a knex instance are for the application's own.
const nothing = () => undefined;
const noHooks = { beforeAll: nothing, beforeEach: nothing, afterEach: nothing, afterAll: nothing };
