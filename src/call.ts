import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from './config/index.js';
import { MigrationError } from './errors.js';
import { createReport, type Report } from './log.js';

type StopSignal = 'SIGTERM' | 'SIGINT';
const stopSignals: readonly StopSignal[] = ['SIGTERM', 'SIGINT'];

/** One call of the library: its options, its voice, its patience and its ear for being stopped. */
export interface Call extends Disposable {
  /** Names this run in the journal and in every log line. */
  readonly id: string;
  readonly config: Config;
  readonly report: Report;
  /** Aborted by SIGTERM, SIGINT or the user's AbortSignal; its reason is an EM_ABORTED. */
  readonly stop: AbortSignal;
  /** Milliseconds of waiting that `timeouts.callMs` still allows. The time of our own running statements does not count. */
  readonly patienceMs: number;
  /** Takes waited time off the patience. */
  spend(ms: number): void;
  /** Waits, and counts it. Throws EM_ABORTED when told to stop, EM_CALL_TIMEOUT when the patience is used up. */
  wait(ms: number, wake?: Promise<unknown>): Promise<void>;
  /** Ends this process as the signal would have, when ours was the only listener. Called after everything is cleaned up. */
  passSignalOn(): void;
}

/** Starts a call. Its signal listeners exist until it is disposed. */
export function startCall(config: Config): Call {
  const id = randomUUID();
  const stop = listenForStop(config.signal);
  let patienceMs = config.timeouts.callMs;
  return {
    id,
    config,
    report: createReport(config, id),
    stop: stop.signal,
    get patienceMs() {
      return patienceMs;
    },
    spend(ms) {
      patienceMs -= ms;
    },
    async wait(ms, wake) {
      if (patienceMs <= 0) throw new MigrationError('EM_CALL_TIMEOUT', `waited ${config.timeouts.callMs} ms in all`);
      const started = performance.now();
      await sleep(Math.min(ms, patienceMs), stop.signal, wake);
      patienceMs -= performance.now() - started;
    },
    passSignalOn: () => stop.passOn(),
    [Symbol.dispose]: () => stop.end(),
  };
}

async function sleep(ms: number, stop: AbortSignal, wake: Promise<unknown> | undefined): Promise<void> {
  stop.throwIfAborted();
  const over = new AbortController();
  const timer = delay(ms, undefined, { signal: AbortSignal.any([stop, over.signal]) });
  try {
    await Promise.race(wake === undefined ? [timer] : [timer, wake]);
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    timer.catch(() => undefined); // the timer that lost the race rejects when it is ended
  }
}

interface Stop {
  readonly signal: AbortSignal;
  passOn(): void;
  end(): void;
}

function listenForStop(user: AbortSignal | undefined): Stop {
  const controller = new AbortController();
  let received: StopSignal | undefined;
  const abort = (why: string, cause?: unknown) => controller.abort(new MigrationError('EM_ABORTED', `stopped by ${why}`, { cause }));
  const onSignal = (name: StopSignal) => {
    received ??= name;
    abort(name);
  };
  const onUserAbort = () => abort('the AbortSignal', user?.reason);
  for (const name of stopSignals) process.on(name, onSignal);
  if (user?.aborted) onUserAbort();
  user?.addEventListener('abort', onUserAbort, { once: true });
  const end = () => {
    for (const name of stopSignals) process.off(name, onSignal);
    user?.removeEventListener('abort', onUserAbort);
  };
  return {
    signal: controller.signal,
    end,
    passOn() {
      end();
      // Without our listener the default action is back: the process ends with 143 or 130, as it would have without us.
      if (received && process.listenerCount(received) === 0) process.kill(process.pid, received);
    },
  };
}
