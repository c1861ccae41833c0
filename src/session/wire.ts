import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { streamText, type Submittable } from './submittable.js';

export type TransactionStatus = 'I' | 'T' | 'E';

/** What one message to the server brought back: a result and a command tag for each of its statements, and the status after it. */
export interface Answer {
  readonly results: readonly pg.QueryResult[];
  readonly tags: readonly string[];
  readonly status: TransactionStatus;
}

export interface Message {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** pg's own keys of a query config (name, rowMode, types). */
  readonly [key: string]: unknown;
}

// The parts of pg.Client that have no public name. All of them are the same from pg 8.11 to 8.23.
interface ClientInternals {
  readonly connection: {
    on(event: 'readyForQuery', listener: (message: { status: TransactionStatus }) => void): void;
    on(event: 'commandComplete', listener: (message: { text: string }) => void): void;
    on(event: 'errorMessage', listener: (error: Error) => void): void;
    readonly stream: { readonly bytesRead: number; readonly bytesWritten: number; destroy(): void };
  };
  readonly readyForQuery: boolean;
  readonly processID: number;
  readonly secretKey: number;
  unref(): void;
}

/** How long a query waits for a stream that is open on the one connection, before it is refused. */
const streamPatienceMs = 1_000;

/**
 * One pg.Client with a queue of our own: pg answers in order, but warns on a third queued query, and rejects before it knows the
 * transaction status. Here an answer, or a failure, is passed on once the server is ready again, so the status is never stale.
 */
export class Wire {
  readonly client: pg.Client;
  status: TransactionStatus = 'I';
  /** Why the connection is gone; the first thing that was heard of it. */
  lost: Error | undefined;
  /** What the server is working on for us. */
  running: { readonly text: string; readonly since: number } | undefined;
  /** When something was last sent or answered, by performance.now(). */
  activeAt = performance.now();
  /** When the server was last heard on another connection to be at work for this one, by performance.now(). */
  heardAt = 0;
  /** The command tags of the last message, also of what came before a failing statement. */
  tags: string[] = [];
  private tail: Promise<unknown> = Promise.resolve();
  private queued = 0;
  private openStream: { readonly query: Submittable; readonly ended: Promise<unknown> } | undefined;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<void>;
  /** Nothing is sent before this has resolved: a cancel that is on its way must not hit the next statement. */
  barrier: Promise<unknown> | undefined;

  constructor(client: pg.Client) {
    this.client = client;
    this.ended = new Promise((resolve) => client.once('end', resolve));
    client.on('error', (error) => (this.lost ??= error));
    client.on('end', () => (this.lost ??= new Error('the connection was closed')));
    const { connection } = this.internals;
    connection.on('readyForQuery', ({ status }) => (this.status = status));
    connection.on('commandComplete', ({ text }) => this.tags.push(text));
    connection.on('errorMessage', (error) => isFatal(error) && (this.lost ??= error)); // heard here before any stream or query is told
  }

  private get internals(): ClientInternals {
    return this.client as unknown as ClientInternals;
  }

  /** The backend's pid as the connection was told; behind PgBouncer this is not pg_backend_pid(). */
  get processId(): number {
    return this.internals.processID;
  }

  get secretKey(): number {
    return this.internals.secretKey;
  }

  /** Whether nothing is in flight and nothing waits. */
  get idle(): boolean {
    return this.queued === 0;
  }

  /** Sends one message and waits for the server to be ready again. Several statements are allowed when there are no values. */
  async send(message: string | Message): Promise<Answer> {
    return await this.enqueue(() => this.exchange(typeof message === 'string' ? { text: message } : message));
  }

  /** Takes the connection for several messages in a row: nothing else is sent in between. */
  async exclusively<T>(work: (send: (message: string | Message) => Promise<Answer>) => Promise<T>): Promise<T> {
    return await this.enqueue(() => work((message) => this.exchange(typeof message === 'string' ? { text: message } : message)));
  }

  /**
   * Sends several statements as one message and collects the rows of each as they arrive, so that what came before a failing
   * statement survives its error.
   */
  async collect(text: string): Promise<{ rows: unknown[][][]; error: unknown }> {
    return await this.enqueue(async () => {
      const sets = new Map<unknown, unknown[][]>();
      const query = new pg.Query({ text, rowMode: 'array' } as pg.QueryConfig);
      const done = new Promise<unknown>((resolve) => query.once('end', () => resolve(undefined)).once('error', resolve));
      query.on('row', (row: unknown, result: unknown) => {
        (sets.get(result) ?? sets.set(result, []).get(result))?.push(row as unknown[]);
      });
      const error = await this.settled(text, async () => {
        this.client.query(query);
        return await done;
      });
      return { rows: [...sets.values()], error };
    });
  }

  /** Hands the connection to a cursor or stream until the server is ready again. What `before` gives is sent first. */
  stream<T extends Submittable>(query: T, before: () => Promise<string>): T {
    const ended = this.enqueue(async () => {
      const text = await before();
      if (text !== '') await this.exchange({ text });
      await this.settled(streamText(query), async () => void this.client.query(query as unknown as pg.Submittable));
    })
      .catch((error: unknown) => query.handleError?.(error, this.internals.connection)) // it was not submitted: nobody else would tell it
      .finally(() => (this.openStream = this.openStream?.query === query ? undefined : this.openStream)); // another one may stand behind it
    this.openStream = { query, ended };
    return query;
  }

  /** Whether a cursor or stream has the connection. */
  get streaming(): boolean {
    return this.openStream !== undefined;
  }

  /** Grows with every byte that comes or goes. */
  get traffic(): number {
    const { bytesRead, bytesWritten } = this.internals.connection.stream;
    return bytesRead + bytesWritten;
  }

  /** Asks a stream that was left open to close, and waits until the server is ready again, but not for long. */
  async endStream(): Promise<void> {
    if (this.openStream === undefined) return;
    const { query, ended } = this.openStream;
    if (query.destroy) query.destroy();
    else query.close?.();
    await Promise.race([ended, delay(streamPatienceMs, undefined, { ref: false })]);
  }

  /** Whatever it waits for: from now on it keeps no process alive. */
  unref(): void {
    this.internals.unref();
  }

  /** Closes the socket without a word to the server, which then rolls back and lets go of every lock of this session. */
  destroy(reason: Error): void {
    this.lost ??= reason;
    this.internals.connection.stream.destroy();
  }

  /** Says goodbye; never throws, never takes longer than `withinMs`. */
  async close(withinMs = 1_000): Promise<void> {
    const timer = setTimeout(() => this.internals.connection.stream.destroy(), withinMs);
    try {
      await this.client.end();
    } catch {
      // Already gone: that is what was asked for.
    } finally {
      clearTimeout(timer);
    }
  }

  private async enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.queued++;
    try {
      await this.streamClosed();
      const result = this.tail.then(work);
      this.tail = result.catch(() => undefined);
      return await result;
    } finally {
      this.queued--;
      this.activeAt = performance.now();
    }
  }

  /**
   * Waits a second for the stream that is open, then throws. A pool would have served a query on another connection; with one it would
   * wait for itself for ever.
   */
  async streamClosed(): Promise<void> {
    if (this.openStream === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const refusal = new Promise<never>((_, reject) => {
      const sentence = 'a query was sent while a stream was open on the one connection that migrates: read the stream to its end first';
      timer = setTimeout(() => reject(new Error(sentence)), streamPatienceMs);
    });
    try {
      await Promise.race([this.openStream.ended, refusal]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async exchange(message: Message): Promise<Answer> {
    const result = await this.settled(message.text, () => this.client.query(message as unknown as pg.QueryConfig));
    return { results: [result].flat(), tags: this.tags, status: this.status };
  }

  private async settled<T>(text: string, work: () => Promise<T>): Promise<T> {
    await this.barrier;
    if (this.lost) throw this.lost;
    this.tags = [];
    this.activeAt = performance.now();
    this.running = { text, since: this.activeAt };
    const ready = this.readyAgain();
    try {
      return await work();
    } finally {
      // pg may refuse a message before it sends anything of it, such as one with values that are no array: then no answer will come.
      if (!this.internals.readyForQuery) await ready;
      this.running = undefined;
    }
  }

  private async readyAgain(): Promise<void> {
    const { connection } = this.internals as unknown as { connection: NodeJS.EventEmitter };
    let done: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (done = resolve));
    connection.once('readyForQuery', done);
    this.client.once('end', done); // what waits for the promise `ended` stays there: one more for each message of a session
    await ready;
    connection.off('readyForQuery', done);
    this.client.off('end', done);
  }
}

/** Whether other statements may travel in the same message. */
export function isPlainText({ values, name, queryMode, rows }: Message): boolean {
  return (values?.length ?? 0) === 0 && name === undefined && rows === undefined && queryMode !== 'extended';
}

function isFatal(error: Error): boolean {
  const { severity } = error as { severity?: unknown };
  return severity === 'FATAL' || severity === 'PANIC';
}
