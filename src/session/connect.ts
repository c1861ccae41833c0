import pg from 'pg';
import type { Call } from '../call.js';
import type { PgConfig } from '../config/index.js';
import { isMigrationError, messageOf, MigrationError, sqlStateOf } from '../errors.js';
import { applicationName } from './application-name.js';

// Worth another try: nobody listens yet, the name does not resolve for now, the network swallows packets, the socket is not there yet.
const retryableSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOENT',
]);
// 57P03: the server is starting up or shutting down. 53300: too many connections. Class 08: connection exceptions.
const retryableStates = /^(57P0[123]|53300|08...)$/;
// What pg says of an attempt that had no more time: the last one always may, and tells nothing of the server.
const outOfTime = 'timeout expired';
// pg gives these no code.
const retryableTexts = /^(timeout expired|Connection terminated.*)$/;

/** One attempt may not eat the whole patience: a packet that was dropped is sent again by a new attempt. */
const attemptMs = 10_000;

/**
 * Connects, trying again with jitter for `timeouts.connectMs` while the server is not there yet (EM_CONNECT_TIMEOUT after that);
 * a wrong password, an unknown database or refused TLS fails at once (EM_CONNECT_REJECTED). Writes nothing.
 */
export async function connect(call: Call, source: () => Promise<PgConfig>, role: string): Promise<pg.Client> {
  const deadline = performance.now() + Math.min(call.config.timeouts.connectMs, call.patienceMs);
  const leftMs = () => Math.max(1, deadline - performance.now());
  const attempt = async () => {
    call.stop.throwIfAborted();
    const config = await given(source, { withinMs: leftMs(), stop: call.stop });
    const connectionTimeoutMillis = Math.min(limitOf(config), leftMs());
    return await connectOnce({ ...config, connectionTimeoutMillis }, applicationName(call.config.application.name, role), call.stop);
  };
  try {
    return await attempt();
  } catch (error) {
    if (!isRetryable(error)) throw rejected(error, call);
    call.report.warn('connect.waiting', { reason: messageOf(error) });
    return await connectRepeatedly(call, { attempt, leftMs, first: error });
  }
}

/** Patience with a function of the user's. */
export interface Patience {
  /** Default 10 000. */
  readonly withinMs?: number;
  readonly stop?: AbortSignal;
}

/** What a function of the user's answers. It may hang, as one that asks a service for a password: throws EM_CONNECT_TIMEOUT then, and the reason of `stop`. */
export async function given<T>(source: () => Promise<T>, { withinMs = attemptMs, stop }: Patience = {}): Promise<T> {
  stop?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let giveUp: () => void = () => undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(silent(withinMs)), withinMs);
    giveUp = () => reject(stop?.reason as Error);
    stop?.addEventListener('abort', giveUp);
  });
  try {
    return await Promise.race([source(), limit]);
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener('abort', giveUp);
  }
}

// 0, and what is no number, is no limit to pg.
function limitOf({ connectionTimeoutMillis }: PgConfig): number {
  return Number(connectionTimeoutMillis) > 0 ? Number(connectionTimeoutMillis) : attemptMs;
}

function silent(withinMs: number): MigrationError {
  const what = `the function that gives the connection has not answered within ${Math.round(withinMs)} ms`;
  return new MigrationError('EM_CONNECT_TIMEOUT', what, { remedy: 'Look at what that function waits for, then start the service again.' });
}

/** In place of {@link connect}, for a question that can do without an answer: one attempt. Throws what pg throws. */
export async function connectAtOnce(call: Call, source: () => Promise<PgConfig>, role: string): Promise<pg.Client> {
  return await connectOnce(await given(source, call), applicationName(call.config.application.name, role), call.stop);
}

/** One attempt; throws what pg throws. */
export async function connectOnce(config: PgConfig, application: string, stop?: AbortSignal): Promise<pg.Client> {
  stop?.throwIfAborted(); // the credentials may have taken their time
  // Their timeouts are for queries of an application; ours are set by ourselves on the session.
  const { query_timeout: _1, statement_timeout: _2, lock_timeout: _3, idle_in_transaction_session_timeout: _4, ...rest } = config;
  const client = new pg.Client({
    keepAlive: true,
    ...rest,
    connectionTimeoutMillis: limitOf(rest),
    application_name: application,
  });
  let lost: Error | undefined;
  client.on('error', (error) => (lost ??= error)); // from now on: what comes together with the server's greeting no Wire hears
  const abort = () =>
    (client as unknown as { connection: { stream: { destroy(e: unknown): void } } }).connection.stream.destroy(stop?.reason);
  stop?.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    if (lost !== undefined) throw lost;
    return client;
  } finally {
    stop?.removeEventListener('abort', abort);
  }
}

interface Attempts {
  readonly attempt: () => Promise<pg.Client>;
  readonly leftMs: () => number;
  /** What the first one has failed with. */
  readonly first: unknown;
}

async function connectRepeatedly(call: Call, { attempt, leftMs, first }: Attempts): Promise<pg.Client> {
  const { connectMs } = call.config.timeouts;
  const started = performance.now();
  let heard = first;
  const { default: retry } = await import('p-retry');
  try {
    return await retry(attempt, {
      retries: Number.MAX_SAFE_INTEGER,
      minTimeout: 100,
      maxTimeout: 1_000,
      factor: 1.5,
      randomize: true,
      maxRetryTime: leftMs(),
      signal: call.stop,
      shouldRetry: ({ error }) => isRetryable(error),
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (messageOf(error) !== outOfTime) heard = error;
        call.report.debug('connect.retrying', { attempt: attemptNumber, reason: messageOf(error) });
      },
    });
  } catch (error) {
    if (!isRetryable(error)) throw rejected(error, call);
    throw new MigrationError('EM_CONNECT_TIMEOUT', `could not connect to PostgreSQL within ${connectMs} ms: ${messageOf(heard)}`, {
      cause: error,
    });
  } finally {
    call.spend(performance.now() - started);
  }
}

export function isRetryable(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return retryableStates.test(state);
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown };
  // Both addresses of `localhost` refused: Node wraps the refusals, and its own message is empty.
  if (Array.isArray(errors)) return errors.every(isRetryable);
  if (typeof code === 'string') return retryableSystemCodes.has(code);
  return retryableTexts.test(messageOf(error));
}

function rejected(error: unknown, call: Call): unknown {
  call.stop.throwIfAborted();
  if (isMigrationError(error)) return error;
  return new MigrationError('EM_CONNECT_REJECTED', `cannot connect to PostgreSQL: ${messageOf(error)}`, { cause: error });
}
