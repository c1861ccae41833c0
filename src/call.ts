import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from './config/index.js';
import { MigrationError } from './errors.js';
import { createReport, memberReport, type Fields, type Report } from './log.js';

type StopSignal = 'SIGTERM' | 'SIGINT';
const stopSignals: readonly StopSignal[] = ['SIGTERM', 'SIGINT'];

/**
 * When told to stop: how long a session has to clean up before it is closed as it is, and then the call before it ends without it. One that works on several
 * tenants, or databases, ends before that, and says what each came to.
 */
export const stopLimitMs = { session: 1_300, tenant: 1_400, database: 1_450, call: 1_500 };

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
  /** Waits for work that may hang in code that is not ours: when told to stop, for no longer than `stopLimitMs`, with EM_ABORTED. */
  untilStopped<T>(work: Promise<T>): Promise<T>;
  /** Ends this process as the signal would have, when ours was the only listener. Called after everything is cleaned up. */
  passSignalOn(): void;
}

/** Starts a call. Its signal listeners exist until it is disposed. */
export function startCall(config: Config): Call {
  const id = randomUUID();
  return callOf({ id, config, report: createReport(config, id), stop: listenForStop(config.signal) });
}

/**
 * A call for one of several that a call works on: it shares the ear, and speaks with the same voice, where `fields` say which one it is. Its
 * configuration, id, patience and timings are its own. It is not disposed.
 */
export function memberCall(call: Call, config: Config, fields: Fields): Call {
  const id = randomUUID();
  const stop = { signal: call.stop, passOn: () => undefined, end: () => undefined };
  return callOf({ id, config, report: memberReport(call.report, id, fields), stop });
}

function callOf({ stop, ...parts }: Pick<Call, 'id' | 'config' | 'report'> & { readonly stop: Stop }): Call {
  const { config } = parts;
  let patienceMs = config.timeouts.callMs;
  return {
    ...parts,
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
    untilStopped: async (work) => await untilStopped(work, { stop: stop.signal, limitMs: stopLimitMs.call }),
    passSignalOn: () => stop.passOn(),
    [Symbol.dispose]: () => stop.end(),
  };
}

/** The same call under other settings: it shares all else. It is not disposed. */
export function callUnder(call: Call, settings: Partial<Config>): Call {
  return Object.create(call, { config: { value: Object.freeze({ ...call.config, ...settings }) } }) as Call;
}

/** The same call under another configuration, and without a voice of its own: it shares the id, the patience and the ear. It is not disposed. */
export function quietCall(call: Call, config: Config): Call {
  const quiet = { ...config, logger: false as const, onProgress: undefined };
  return Object.create(call, { config: { value: quiet }, report: { value: createReport(quiet, call.id) } }) as Call;
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

interface Limit {
  readonly stop: AbortSignal;
  readonly limitMs: number;
}

/** Waits for work: when told to stop for so long, then throws the reason. */
export async function untilStopped<T>(work: Promise<T>, { stop, limitMs }: Limit): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onStop: () => void = () => undefined;
  const limit = new Promise<never>((_, reject) => {
    onStop = () => (timer = setTimeout(() => reject(stop.reason as Error), limitMs));
  });
  if (stop.aborted) onStop();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', onStop);
  }
}

interface Stop {
  readonly signal: AbortSignal;
  passOn(): void;
  end(): void;
}

function listenForStop(user: AbortSignal | undefined): Stop {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // each session of a call that works on several at once listens
  let received: StopSignal | undefined;
  const abort = (why: string, cause?: unknown) => controller.abort(new MigrationError('EM_ABORTED', `stopped by ${why}`, { cause }));
  const onSignal = (name: StopSignal) => {
    received ??= name;
    abort(name);
  };
  const onUserAbort = () => abort('the AbortSignal', user?.reason);
  listenToSignals(onSignal);
  if (user?.aborted) onUserAbort();
  user?.addEventListener('abort', onUserAbort, { once: true });
  const end = () => {
    controller.abort(new Error('the call has ended')); // a connection that is still being opened is given up
    leaveSignals(onSignal);
    user?.removeEventListener('abort', onUserAbort);
  };
  return {
    signal: controller.signal,
    end,
    passOn() {
      end();
      // Without our listener, which the last call takes away, the default action is back: the process ends with 143 or 130.
      if (received && process.listenerCount(received) === 0) process.kill(process.pid, received);
    },
  };
}

type OnSignal = (name: StopSignal) => void;

// The calls that listen, with one listener for all of them: Node takes more than ten for a leak.
const listening = new Set<OnSignal>();
const tellAll: OnSignal = (name) => {
  for (const onSignal of [...listening]) onSignal(name);
};

function listenToSignals(onSignal: OnSignal): void {
  if (listening.size === 0) for (const name of stopSignals) process.on(name, tellAll);
  listening.add(onSignal);
}

function leaveSignals(onSignal: OnSignal): void {
  if (!listening.delete(onSignal) || listening.size > 0) return;
  for (const name of stopSignals) process.off(name, tellAll);
}
