import { sqlStateOf } from '../errors.js';
import { renderSettings, type Answer, type Message, type Session } from '../session/index.js';
import type { EffectiveStatement } from '../source/index.js';

const lockTimeoutMs = 1_000;
const savepoint = 'ensure_migrated_read';
const whole = 'ensure_migrated_reads';

/** A read as the database answers it; `changes` where it calls what may change something, and is no read. */
export type Said = { readonly answer: Answer } | { readonly error: unknown } | 'changes';

/**
 * Puts a migration's reads to the database, in one read-only transaction that is rolled back; behind a pooler, in the one that holds the lock, as
 * far as a savepoint. Each stands behind a savepoint, so that one that fails does not end the transaction. Waits no longer than a second for
 * a table that is locked. Nothing is sent before the first read.
 */
export class Reads implements AsyncDisposable {
  private closed = false;
  private opened: 'no' | 'transaction' | 'savepoint' = 'no';

  constructor(
    private readonly session: Session,
    /** `changes`: the database is not as the migration will find it, since others are to run before. */
    readonly after: 'nothing' | 'changes',
  ) {}

  /** What the server says, be it an error. */
  async ask({ calls }: EffectiveStatement, message: Message): Promise<Said> {
    if (calls.length > 0 && (await this.mayChange(calls))) return 'changes';
    const said = await this.behindSavepoint(message);
    // 25006: read_only_sql_transaction. A function that is marked stable may write all the same.
    return 'error' in said && sqlStateOf(said.error) === '25006' ? 'changes' : said;
  }

  /** Makes the setting, search_path before all, hold for the reads that follow. What the server refuses is left out. */
  async set(message: Message): Promise<void> {
    await this.behindSavepoint(message);
  }

  // A session lock, a signal to another backend: what a volatile function does need not end with the transaction.
  private async mayChange(calls: readonly string[]): Promise<boolean> {
    const rows = await this.session.query(`select from pg_catalog.pg_proc where proname = any ($1) and provolatile = 'v' limit 1`, [calls]);
    return rows.length > 0;
  }

  private async behindSavepoint(message: Message): Promise<{ readonly answer: Answer } | { readonly error: unknown }> {
    const { wire } = this.session;
    return await wire.exclusively(async (send) => {
      if (this.closed) return { error: new Error('the capture has ended') };
      await this.open(send);
      await send(`savepoint ${savepoint}`);
      try {
        const { text, values } = message;
        const answer = await send({ ...message, text, ...(values && { values }) });
        await send(`release savepoint ${savepoint}`);
        return { answer };
      } catch (error) {
        if (wire.lost) throw this.session.lostOr(error);
        await send(`rollback to savepoint ${savepoint}; release savepoint ${savepoint}`);
        return { error };
      }
    });
  }

  private async open(send: (text: string) => Promise<unknown>): Promise<void> {
    if (this.opened !== 'no') return;
    this.opened = this.session.wire.status === 'I' ? 'transaction' : 'savepoint';
    const begin = this.opened === 'transaction' ? 'begin isolation level read committed' : `savepoint ${whole}`;
    // In a savepoint, too, what is made read-only and waits so long is that only until it is rolled back.
    await send(`${begin}; set transaction read only; ${renderSettings([['lock_timeout', String(lockTimeoutMs)]], 'local')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    if (this.opened === 'no' || this.session.wire.lost) return;
    const end = this.opened === 'transaction' ? 'rollback' : `rollback to savepoint ${whole}; release savepoint ${whole}`;
    await this.session.send(end).catch(() => undefined); // the next statement hears what is wrong, and nothing hides why the capture has failed
  }
}
