import type { Wire } from './wire.js';

/** Keeps the session alive while we are, and gives it up when the server falls silent. */
export interface Lease extends Disposable {
  /** The longest time that the event loop was late for a heartbeat, in ms: a migration that blocks it loses the lease. */
  readonly worstLagMs: number;
}

/**
 * Sends the empty query whenever the session has been idle for a third of the lease. It takes no snapshot; a SELECT would, and could
 * hang a concurrent index build. When the server has not answered for a whole lease the socket is closed: a successor may be at work.
 */
export function startLease(wire: Wire, leaseMs: number): Lease {
  const beatMs = Math.floor(leaseMs / 3);
  let worstLagMs = 0;
  let expected = performance.now() + beatMs;
  const timer = setInterval(() => {
    worstLagMs = Math.max(worstLagMs, performance.now() - expected);
    expected = performance.now() + beatMs;
    if (wire.idle && !wire.lost && performance.now() - wire.activeAt >= beatMs * 0.9) void beat(wire, leaseMs);
  }, beatMs);
  timer.unref();
  return {
    get worstLagMs() {
      return Math.max(worstLagMs, performance.now() - expected);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

async function beat(wire: Wire, leaseMs: number): Promise<void> {
  const heard = afterSilence(leaseMs, () => wire.destroy(new Error(`the server has not answered for ${leaseMs} ms`)));
  try {
    await wire.send('');
  } catch {
    // The wire remembers why it is lost, and whoever uses it next is told.
  } finally {
    heard();
  }
}

/**
 * Calls `giveUp` after `ms` unless what it returns is called before. A process that wakes after a long pause finds its timers due before it
 * has read its sockets: what has arrived meanwhile is heard first.
 */
export function afterSilence(ms: number, giveUp: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => (immediate = setImmediate(giveUp)), ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}
