import pg from 'pg';
import type { Call } from '../call.js';
import type { PgConfig } from '../config/index.js';
import { isMigrationError, messageOf, MigrationError, sqlStateOf } from '../errors.js';
import { redact } from '../sql.js';

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
  const attempt = async () => {
    call.stop.throwIfAborted();
    const connectionTimeoutMillis = Math.max(1, Math.min(attemptMs, deadline - performance.now()));
    return await connectOnce({ connectionTimeoutMillis, ...(await source()) }, applicationName(call, role), call.stop);
  };
  try {
    return await attempt();
  } catch (error) {
    if (!isRetryable(error)) throw rejected(error, call);
    call.report.warn('connect.waiting', { reason: redact(messageOf(error)) });
    return await connectRepeatedly(call, attempt, deadline);
  }
}

/** In place of {@link connect}, for a question that can do without an answer: one attempt. Throws what pg throws. */
export async function connectAtOnce(call: Call, source: () => Promise<PgConfig>, role: string): Promise<pg.Client> {
  return await connectOnce(await source(), applicationName(call, role), call.stop);
}

/** One attempt; throws what pg throws. */
export async function connectOnce(config: PgConfig, application: string, stop?: AbortSignal): Promise<pg.Client> {
  stop?.throwIfAborted(); // the credentials may have taken their time
  // Their timeouts are for queries of an application; ours are set by ourselves on the session.
  const { query_timeout: _1, statement_timeout: _2, lock_timeout: _3, idle_in_transaction_session_timeout: _4, ...rest } = config;
  const client = new pg.Client({
    keepAlive: true,
    connectionTimeoutMillis: attemptMs,
    ...rest,
    application_name: application,
  });
  client.on('error', () => undefined); // heard again by the Wire; without a listener here the process would end
  const abort = () =>
    (client as unknown as { connection: { stream: { destroy(e: unknown): void } } }).connection.stream.destroy(stop?.reason);
  stop?.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    return client;
  } finally {
    stop?.removeEventListener('abort', abort);
  }
}

/** At most 63 bytes, the server's limit: what stands in pg_stat_activity for the person who looks there. */
function applicationName(call: Call, role: string): string {
  return `ensure-migrated/${call.config.application.name}${role}`.slice(0, 63);
}

async function connectRepeatedly(call: Call, attempt: () => Promise<pg.Client>, deadline: number): Promise<pg.Client> {
  const { connectMs } = call.config.timeouts;
  const started = performance.now();
  const { default: retry } = await import('p-retry');
  try {
    return await retry(attempt, {
      retries: Number.MAX_SAFE_INTEGER,
      minTimeout: 100,
      maxTimeout: 1_000,
      factor: 1.5,
      randomize: true,
      maxRetryTime: Math.max(1, deadline - started),
      signal: call.stop,
      shouldRetry: ({ error }) => isRetryable(error),
      onFailedAttempt: ({ error, attemptNumber }) =>
        call.report.debug('connect.retrying', { attempt: attemptNumber, reason: redact(messageOf(error)) }),
    });
  } catch (error) {
    if (!isRetryable(error)) throw rejected(error, call);
    throw new MigrationError('EM_CONNECT_TIMEOUT', `could not connect to PostgreSQL within ${connectMs} ms: ${messageOf(error)}`, {
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
