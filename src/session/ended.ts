import type { Wire } from './wire.js';

/**
 * Tells when the connection is gone, or at once where it is, unless `over` is aborted before. What waits for `wire.ended` stays with it for as long as
 * the session lives: a thousand steps would leave a thousand there.
 */
export function whenEnded({ client, lost }: Wire, over: AbortSignal, tell: () => void): void {
  if (lost) return tell();
  client.once('end', tell);
  over.addEventListener('abort', () => client.off('end', tell), { once: true });
}
