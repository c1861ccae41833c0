import { afterFile } from './cleanup.js';
import { openProxy, type Proxy } from './wire-proxy.js';

export type { Counts, Hold, Proxy } from './wire-proxy.js';

/** A proxy as {@link openProxy} makes it, closed after the file's tests. */
export async function startProxy(target: string): Promise<Proxy> {
  const proxy = await openProxy(target);
  afterFile(() => proxy.close());
  return proxy;
}
