/** Several histories in one database, in an order: packages that bring migrations. The only door of this room. */
export { ensureStreams, type StreamsRequest } from './ensure-streams.js';
export { streamsOf, type StreamPlace } from './options.js';
