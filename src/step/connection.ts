import type pg from 'pg';
import { isPlainText, isSubmittable, streamText, type Answer, type Message, type Submittable } from '../session/index.js';
import { labelled } from '../sql.js';
import { asThrown, shiftPosition, snapshotOf, type Failure } from './failure.js';
import { brokenBy, late, refusedControl, transactionControlOf, type TransactionBroken } from './broken.js';
import { emptyResult, type SendPart, type StepConnectionOptions, type StepWire } from './options.js';
import { Turns } from './turns.js';

type Callback = (error: Error | null, result?: unknown) => void;
type Phase = 'opening' | 'open' | 'closing' | 'failing' | 'closed';

/**
 * What one migration, or one set of migrations in one transaction, sees as its connection. The BEGIN rides before its first statement;
 * a migration that commits or begins by hand is refused, or found at the very statement that did it; after the end nothing gets through.
 */
export class StepConnection {
  /** Looks like the pg.Client that it stands for; given to knex. */
  readonly facade: pg.Client;
  /** The first statement that failed and whose failure was not undone by a savepoint. */
  failure: Failure | undefined;
  /** Set when the migration began or ended the transaction itself; kept, since it may swallow the error. Nothing is sent after it. */
  broken: TransactionBroken | undefined;
  /** Why a statement was not admitted; kept, since the migration may swallow the error. */
  refused: Error | undefined;
  /** The error of a stream to which the migration did not listen. */
  unheard: unknown;
  /** Characters of the migration's file before the statement that is sent. */
  offset = 0;
  /** The message that ends in COMMIT is on its way. */
  committing = false;
  statementCount = 0;
  /** When the migration last sent something or had an answer, by performance.now(). */
  activeAt = performance.now();
  /** Called once, when nothing gets through any more. */
  onClose: (() => void) | undefined;
  private phase: Phase;
  /** When they are settled, all that was asked for so far is answered: what the migration forgot to wait for, too. */
  readonly turns = new Turns();
  private prefix: readonly string[] = [];
  private commit: (() => Promise<unknown>) | undefined;

  constructor(
    private readonly wire: StepWire,
    private readonly options: StepConnectionOptions,
  ) {
    this.phase = options.transaction === 'transaction' ? 'opening' : 'open';
    this.facade = Object.create(wire.client, {
      query: { value: (...args: unknown[]) => this.query(...args) },
      end: { value: () => Promise.resolve() },
    }) as pg.Client;
  }

  /** Why nothing more is sent, whatever the migration made of the error. */
  get over(): Error | undefined {
    return this.broken ?? this.refused;
  }

  get transaction(): StepConnectionOptions['transaction'] {
    return this.options.transaction;
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
    this.onClose?.();
    this.onClose = undefined;
  }

  /** Sends a message of the migration by whoever stands around what it sends. */
  async pass(message: Message): Promise<Answer | 'skip'> {
    const send: SendPart = async (part, offset = 0) => {
      const before = this.offset;
      this.offset = before + offset;
      try {
        return await this.send(part);
      } finally {
        this.offset = before;
      }
    };
    return await (this.options.around?.(message, send) ?? send(message));
  }

  /** Sends text with everything that was to ride before it. Throws when the transaction is not ours any more, unless the text `ends` it. */
  async send(message: Message, how: 'goes-on' | 'ends' = 'goes-on'): Promise<Answer> {
    const prefix = this.prefix;
    this.prefix = [];
    this.activeAt = performance.now();
    try {
      const answer = await this.transmit(prefix, message);
      if (answer.status !== 'E') this.failure = undefined;
      if (how === 'goes-on') this.refuseBroken(answer, message.text);
      return answer;
    } catch (error) {
      this.noteFailure(message.text, error, prefix.length);
      this.noteBroken(message.text, this.wire.tags.slice(prefix.length), how);
      throw error;
    } finally {
      this.activeAt = performance.now();
    }
  }

  private async transmit(prefix: readonly string[], message: Message): Promise<Answer> {
    if (prefix.length === 0) return await this.wire.send(message);
    const riders = labelled(message.text, prefix.join(' '));
    const apart = async () =>
      await this.wire.exclusively(async (send) => {
        await send(riders);
        return await send(message);
      });
    if (!isPlainText(message)) return await apart();
    try {
      const answer = await this.wire.send(`${riders}\n${message.text}`);
      return { ...answer, results: answer.results.slice(prefix.length), tags: answer.tags.slice(prefix.length) };
    } catch (error) {
      // A text that cannot be parsed takes the riders with it: sent apart it fails again, in the transaction that has to fail.
      if (this.wire.tags.length === 0 && !this.wire.lost) return await apart();
      throw shiftPosition(error, [...riders].length + 1);
    }
  }

  private refuseBroken(answer: Answer, text: string): void {
    if (this.options.transaction !== 'transaction') return;
    this.broken ??= brokenBy(answer, text, 'answered');
    if (this.broken) throw this.broken;
  }

  private noteFailure(text: string, error: unknown, ridersCount: number): void {
    const doneCount = Math.max(0, this.wire.tags.length - ridersCount);
    this.failure ??= { text, error: snapshotOf(error), thrown: error, doneCount, offset: this.offset };
  }

  // What ran before the statement that failed may have ended the transaction. Our own COMMIT, when it fails, does as well.
  private noteBroken(text: string, tags: readonly string[], how: 'goes-on' | 'ends'): void {
    if (this.options.transaction !== 'transaction' || this.wire.lost) return;
    this.broken ??= brokenBy({ tags, status: how === 'ends' ? 'E' : this.wire.status }, text, 'failed');
  }

  private query(...args: unknown[]): unknown {
    const [first, second] = args;
    if (isSubmittable(first)) return this.stream(first);
    const { callback: inConfig, ...message } = typeof first === 'string' ? { text: first } : (first as Message & { callback?: unknown });
    const values = Array.isArray(second) ? second : message.values;
    const callback = [...args, inConfig].find((arg): arg is Callback => typeof arg === 'function');
    const answer = this.answer(values === undefined ? message : { ...message, values });
    if (!callback) return answer;
    answer.then(
      (result) => callback(null, result),
      (error: unknown) => callback(error as Error),
    );
    return undefined;
  }

  private async answer(message: Message): Promise<unknown> {
    this.refuseLate();
    const control = this.options.transaction === 'transaction' && transactionControlOf(message.text);
    if (control) return await this.controlTransaction(control, message.text);
    if (!this.options.admit) return await this.deliver(message);
    return await this.turns.take(async () => {
      await this.admit(message.text);
      if (this.phase === 'failing') throw late();
      return await this.deliver(message);
    });
  }

  private async deliver(message: Message): Promise<unknown> {
    this.refuseLate();
    if (this.over) throw asThrown(this.over);
    if (this.phase !== 'closing') this.statementCount++;
    this.options.hear?.(message.text, message.values);
    const answer = await this.pass(message);
    if (answer === 'skip') return emptyResult('SKIPPED');
    return answer.results.length === 1 ? answer.results[0] : answer.results;
  }

  private refuseLate(): void {
    if (this.phase === 'closed') throw late();
  }

  // Never rejects: who is refused is told by `over`.
  private async admit(text: string): Promise<void> {
    if (this.over || this.phase === 'closed' || this.wire.status === 'E') return;
    try {
      await this.options.admit?.(text);
    } catch (error) {
      this.refused ??= error as Error;
    }
  }

  private async controlTransaction(control: string, text: string): Promise<unknown> {
    if (control === 'begin' && this.phase === 'opening') {
      this.phase = 'open';
      return emptyResult('BEGIN');
    }
    if (control === 'commit' && this.phase === 'closing') {
      await this.turns.settled();
      return await this.commit?.();
    }
    if (control === 'rollback' && this.phase === 'failing') return emptyResult('ROLLBACK'); // whoever opened the transaction ends it
    throw (this.broken ??= refusedControl(text));
  }

  // An error that nobody listens to would end the process; here it fails the migration.
  private listen(query: Submittable): void {
    query.on?.('error', (error) => {
      this.noteFailure(streamText(query), error, 0);
      if (query.listenerCount?.('error') === 1) this.unheard ??= error;
    });
  }

  private stream(query: Submittable): Submittable {
    if (this.phase === 'closed') throw new Error('the migration has ended; this stream came after it');
    if (this.over) throw this.over;
    this.listen(query);
    if (!this.options.admit) return this.submit(query);
    void this.turns.take(async () => {
      await this.admit(streamText(query));
      this.submit(query);
    });
    return query;
  }

  private submit(query: Submittable): Submittable {
    this.statementCount++;
    this.options.hear?.(streamText(query), undefined);
    this.options.onStream?.(streamText(query));
    this.activeAt = performance.now();
    const prefix = this.over ? [] : this.prefix;
    if (!this.over) this.prefix = [];
    return this.wire.stream(query, async () => {
      this.refuseLate();
      if (this.over) throw this.over;
      return [...prefix, (await this.options.beforeStream?.(streamText(query))) ?? ''].join(' ').trim();
    });
  }
}
