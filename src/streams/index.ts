/** Several histories in one database, in an order: packages that bring migrations. The only door of this room. */
export { ensureStreams } from './ensure-streams.js';
export { streamsOf } from './options.js';
