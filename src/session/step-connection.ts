import type pg from 'pg';
import { MigrationError } from '../errors.js';
import type { Answer, Message, Submittable, Wire } from './wire.js';

type Callback = (error: Error | null, result?: unknown) => void;
type Phase = 'opening' | 'open' | 'closing' | 'failing' | 'closed';

/** A statement that failed: as the migration sent it, and what came back, before knex rewrites the error. */
export interface Failure {
  readonly text: string;
  readonly error: Error;
}

export interface StepConnectionOptions {
  /** `transaction`: knex's BEGIN, COMMIT and ROLLBACK are ours to send. `none`: every statement goes as it is. */
  readonly transaction: 'transaction' | 'none';
  /** Stands around each statement that the migration sends; answers with `skip` when the server need not see it. */
  readonly around?: (text: string, send: () => Promise<Answer>) => Promise<Answer | 'skip'>;
}

// savepoint, release and rollback to are the migration's own affair.
const transactionControl =
  /^\s*(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i;
const transactionTags = /^(BEGIN|START TRANSACTION|COMMIT|PREPARE TRANSACTION)$/;

/**
 * What one migration, or one set of migrations in one transaction, sees as its connection. The BEGIN rides before its first statement;
 * a migration that commits or begins by hand is refused, or found at the very statement that did it; after the end nothing gets through.
 */
export class StepConnection {
  /** Looks like the pg.Client that it stands for; given to knex. */
  readonly facade: pg.Client;
  /** The first statement that failed and whose failure was not undone by a savepoint. */
  failure: Failure | undefined;
  /** Set when the migration ended its own transaction; kept, since the migration may swallow the error. */
  ended: TransactionEnded | undefined;
  /** The message that ends in COMMIT is on its way. */
  committing = false;
  statementCount = 0;
  /** When the migration last sent something or had an answer, by performance.now(). */
  activeAt = performance.now();
  private phase: Phase;
  private prefix: readonly string[] = [];
  private commit: (() => Promise<unknown>) | undefined;

  constructor(
    private readonly wire: Wire,
    private readonly options: StepConnectionOptions,
  ) {
    this.phase = options.transaction === 'transaction' ? 'opening' : 'open';
    this.facade = Object.create(wire.client, {
      query: { value: (...args: unknown[]) => this.query(...args) },
      end: { value: () => Promise.resolve() },
    }) as pg.Client;
  }

  /** Statements that ride before the next one; each is exactly one statement. */
  rideBefore(statements: readonly string[]): void {
    this.prefix = [...this.prefix, ...statements];
  }

  /** From here on knex's own COMMIT is let through to `commit`, and its own ROLLBACK to the server. */
  end(how: 'closing' | 'failing', commit?: () => Promise<unknown>): void {
    if (this.phase === 'closed') return;
    this.phase = how;
    this.commit = commit;
  }

  /** Refuses everything from now on: a promise that the migration forgot cannot write into what comes next. */
  close(): void {
    this.phase = 'closed';
  }

  /** Sends text with everything that was to ride before it. Throws when the transaction is not ours any more, unless the text `ends` it. */
  async send(message: Message, how: 'goes-on' | 'ends' = 'goes-on'): Promise<Answer> {
    const prefix = this.prefix;
    this.prefix = [];
    this.activeAt = performance.now();
    try {
      const answer = await this.transmit(prefix, message);
      if (answer.status !== 'E') this.failure = undefined;
      if (how === 'goes-on') this.checkTransaction(answer, message.text);
      return answer;
    } catch (error) {
      this.failure ??= { text: message.text, error: snapshotOf(error) };
      throw error;
    } finally {
      this.activeAt = performance.now();
    }
  }

  private async transmit(prefix: readonly string[], message: Message): Promise<Answer> {
    if (prefix.length === 0) return await this.wire.send(message);
    const riders = prefix.join(' ');
    if (!isPlainText(message)) {
      return await this.wire.exclusively(async (send) => {
        await send(riders);
        return await send(message);
      });
    }
    try {
      const answer = await this.wire.send(`${riders}\n${message.text}`);
      return { ...answer, results: answer.results.slice(prefix.length), tags: answer.tags.slice(prefix.length) };
    } catch (error) {
      throw shiftPosition(error, riders.length + 1);
    }
  }

  private checkTransaction({ tags, status }: Answer, text: string): void {
    if (this.options.transaction !== 'transaction') return;
    if (status !== 'I' && !tags.some((tag) => transactionTags.test(tag))) return;
    const committed = tags.some((tag) => tag === 'COMMIT' || tag === 'PREPARE TRANSACTION');
    throw (this.ended = new TransactionEnded(committed ? 'committed' : 'rolled-back', text));
  }

  private query(...args: unknown[]): unknown {
    const [first, second] = args;
    if (isSubmittable(first)) return this.stream(first);
    const message: Message = typeof first === 'string' ? { text: first } : (first as Message);
    const values = Array.isArray(second) ? second : message.values;
    const callback = [...args, (first as { callback?: unknown }).callback].find((arg): arg is Callback => typeof arg === 'function');
    const answer = this.answer(values === undefined ? message : { ...message, values });
    if (!callback) return answer;
    answer.then(
      (result) => callback(null, result),
      (error: unknown) => callback(error as Error),
    );
    return undefined;
  }

  private async answer(message: Message): Promise<unknown> {
    if (this.phase === 'closed') throw new Error('the migration has ended; this query came after it (was a promise not awaited?)');
    const control = this.options.transaction === 'transaction' && transactionControl.exec(message.text)?.[1]?.toLowerCase();
    if (control) return await this.controlTransaction(control, message.text);
    if (this.phase !== 'closing') this.statementCount++;
    const send = () => this.send(message);
    const answer = await (this.options.around?.(message.text, send) ?? send());
    if (answer === 'skip') return emptyResult('SKIPPED');
    return answer.results.length === 1 ? answer.results[0] : answer.results;
  }

  private async controlTransaction(control: string, text: string): Promise<unknown> {
    if (control === 'begin' && this.phase === 'opening') {
      this.phase = 'open';
      return emptyResult('BEGIN');
    }
    if (control === 'commit' && this.phase === 'closing') return await this.commit?.();
    if (control === 'rollback' && this.phase === 'failing') return emptyResult('ROLLBACK'); // whoever opened the transaction ends it
    const refusal = `the migration sent \`${text.trim().slice(0, 80)}\`; its transaction is ensure-migrated's to end`;
    this.failure ??= { text, error: new Error(refusal) };
    throw new MigrationError('EM_TRANSACTION_BROKEN', refusal);
  }

  private stream(query: Submittable): Submittable {
    if (this.phase === 'closed') throw new Error('the migration has ended; this stream came after it');
    this.statementCount++;
    this.activeAt = performance.now();
    const prefix = this.prefix;
    this.prefix = [];
    return this.wire.stream(query, prefix.length === 0 ? [] : [prefix.join(' ')]);
  }
}

/** A migration ended its own transaction inside a message: what came before a COMMIT is in the database without a history row. */
export class TransactionEnded extends Error {
  constructor(
    readonly how: 'committed' | 'rolled-back',
    readonly statement: string,
  ) {
    super(`the migration ended its own transaction (${how}) in: ${statement.trim().slice(0, 200)}`);
  }
}

function isSubmittable(value: unknown): value is Submittable {
  return typeof (value as { submit?: unknown } | null)?.submit === 'function';
}

function isPlainText({ values, name, queryMode, rows }: Message): boolean {
  return (values?.length ?? 0) === 0 && name === undefined && rows === undefined && queryMode !== 'extended';
}

function emptyResult(command: string) {
  return { command, rowCount: 0, rows: [], fields: [], oid: 0 };
}

// The server counts from the start of the message; the migration's author from the start of the statement.
function shiftPosition(error: unknown, by: number): unknown {
  const position = Number((error as { position?: string } | null)?.position);
  if (position > by) (error as { position: string }).position = String(position - by);
  return error;
}

/** knex writes the SQL into the message of the very object that pg threw: keep what the server said. */
function snapshotOf(error: unknown): Error {
  const original = error instanceof Error ? error : new Error(String(error));
  return Object.assign(Object.create(Object.getPrototypeOf(original) as object) as Error, original, { message: original.message });
}
