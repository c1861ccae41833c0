import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '../call.js';

/** Waits, unless the call is told to stop; does not count as waiting of the call, nor keep the process alive. */
export async function pause(call: Call, ms: number): Promise<void> {
  await delay(ms, undefined, { signal: call.stop, ref: false }).catch(() => undefined); // thrown below, as what it is
  call.stop.throwIfAborted();
}
