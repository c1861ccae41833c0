import { isMigrationError, sqlStateOf } from '../errors.js';
import { isRetryable } from './connect.js';
import type { Wire } from './wire.js';

export interface VigilRequest {
  readonly wire: Wire;
  readonly leaseMs: number;
  /** Opens another connection to the same place; gives up when the signal is aborted. */
  readonly open: (limit: AbortSignal) => Promise<Wire>;
  /** Our backend's pid, where it is known (behind a pooler it is not). */
  readonly backendPid: () => number | undefined;
}

/**
 * Looks after statements that no {@link Watch} looks after: a network that swallows everything would let them wait for ever. One that has run
 * for two thirds of a lease may be at work or lost: the server is asked on another connection, and without an answer there the socket is closed.
 */
export function keepVigil(request: VigilRequest): Disposable {
  const { wire, leaseMs } = request;
  let asking = false;
  const look = async () => {
    const { running } = wire;
    if (asking || !running || wire.lost) return;
    const silentMs = () => performance.now() - Math.max(running.since, wire.heardAt);
    if (silentMs() < (leaseMs * 2) / 3) return;
    asking = true;
    if (await isAtWork(request)) wire.heardAt = performance.now();
    else if (wire.running === running) wire.destroy(new Error(`the server has not answered for ${Math.round(silentMs())} ms`));
    asking = false;
  };
  const timer = setInterval(() => void look(), leaseMs / 3);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function isAtWork({ leaseMs, open, backendPid }: VigilRequest): Promise<boolean> {
  const limit = AbortSignal.timeout(leaseMs);
  try {
    return await ask(await open(limit), backendPid(), limit);
  } catch (error) {
    // Whatever the server itself says (53300: no connection is left) says that it is there; so does a failure that is not the network's. A function
    // of the user's that does not say where to connect may wait for the same network.
    if (limit.aborted || isMigrationError(error, 'EM_CONNECT_TIMEOUT')) return false;
    return sqlStateOf(error) !== undefined || !isRetryable(error);
  }
}

async function ask(side: Wire, pid: number | undefined, limit: AbortSignal): Promise<boolean> {
  const giveUp = () => side.destroy(new Error('no answer'));
  limit.addEventListener('abort', giveUp);
  try {
    const { results } = await side.send({ text: 'select from pg_catalog.pg_stat_activity where pid = $1', values: [pid ?? 0] });
    return pid === undefined || results[0]?.rowCount === 1;
  } finally {
    limit.removeEventListener('abort', giveUp);
    await side.close();
  }
}
