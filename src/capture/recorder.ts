import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { loadOffline, type Answer, type Message } from '../session/index.js';
import { placeInStack, replaceParameters, splitByEffect, type Effect, type EffectiveStatement } from '../source/index.js';
import { excerptOf } from '../sql.js';
import type { StepWire } from '../step/index.js';
import type { Reads } from './reads.js';
import { resultOf, type Used } from './result.js';

/** One statement that a migration would send. */
export interface CapturedStatement {
  /** As it is sent, with `$1` for values. */
  readonly text: string;
  /** The same with its values as literals: a text that can stand alone. */
  readonly sql: string;
  /** The whole text of its message, as it is sent. */
  readonly sent: string;
  readonly effect: Effect;
  /** `file:line` where it stands, or where its builder was made; the file alone where no more is known. */
  readonly place: string | undefined;
  /** Statements with the same number travel as one message. */
  readonly message: number;
}

export interface RecorderOptions {
  readonly client: pg.Client;
  readonly transaction: boolean;
  /** The migration's file. */
  readonly file: string | undefined;
  /** Undefined where there is no database to ask. */
  readonly reads: Reads | undefined;
  /** What every statement that is not sent answers as its count of rows. */
  readonly rowCount: 0 | 1;
  /** The texts that another recording has got: from the first that differs nothing more is recorded. */
  readonly expected?: readonly string[];
}

const mostStatements = 20_000;
const breathEvery = 100;

/**
 * Stands where the wire to the server does, and keeps what is sent instead of sending it. Only reads go to the database, where there is
 * one to ask. Once it has ended it neither keeps nor sends anything: what comes later waits for ever.
 */
export class Recorder implements StepWire {
  readonly client: pg.Client;
  readonly status = 'T';
  readonly tags: string[] = [];
  readonly lost = undefined;
  readonly statements: CapturedStatement[] = [];
  /** Why no more can be known; the first that was found, since a migration may swallow the error. */
  failure: string | undefined;
  /** Called once there is a failure: nobody waits for the migration any more. */
  onFailure: (() => void) | undefined;
  /** Why what was recorded may not be what would be sent. */
  doubt: string | undefined;
  /** The migration, or knex for it, has looked at a count of rows that nobody knows. */
  countsUsed = false;
  /** A read is on its way. */
  asking = false;
  private ended = false;
  private messages = 0;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RecorderOptions) {
    this.client = options.client;
  }

  /** In the order in which they come, as on a wire. */
  async send(message: string | Message): Promise<Answer> {
    const answer = this.tail.then(() => this.exchange(typeof message === 'string' ? { text: message } : message));
    this.tail = answer.catch(() => undefined); // its sender hears of it
    return await answer;
  }

  async exclusively<T>(work: (send: (message: string | Message) => Promise<Answer>) => Promise<T>): Promise<T> {
    return await work((message) => this.send(message));
  }

  /** A cursor, a stream or COPY: what it would bring is not known, and what is written into it is no statement. */
  stream(): never {
    throw this.fail('it opens a cursor, a stream or COPY');
  }

  async streamClosed(): Promise<void> {
    // None is ever opened.
  }

  end(): void {
    this.ended = true;
  }

  private async exchange(message: Message): Promise<Answer> {
    await this.untilAllowed();
    const parts = (await splitByEffect(message.text)) ?? [unparsed(message.text)];
    const refused = refusedIn(parts, this.options.transaction);
    if (refused) throw this.fail(refused);
    const answer = parts.length === 1 ? await this.ask(parts[0] as EffectiveStatement, message) : undefined;
    await this.record(answer ? parts : parts.map(asItChanges), message);
    return answer ?? this.answer(parts);
  }

  // The timers of the process, the time limit's among them, get their turn.
  private async untilAllowed(): Promise<void> {
    if (++this.messages % breathEvery === 0) await setImmediate();
    if (this.ended) await new Promise(() => undefined);
    if (this.failure) throw new Error(this.failure);
    if (this.messages > mostStatements) throw this.fail(`it sends more than ${mostStatements} statements`);
  }

  private async ask(statement: EffectiveStatement, message: Message): Promise<Answer | undefined> {
    const { reads } = this.options;
    if (!reads || (statement.effect !== 'read' && statement.effect !== 'setting')) return undefined;
    this.asking = true;
    try {
      if (statement.effect === 'setting') return void (await reads.set(message));
      return await this.read(await reads.ask(statement, message), message);
    } finally {
      this.asking = false;
      await this.untilAllowed();
    }
  }

  private async read(said: Awaited<ReturnType<Reads['ask']>>, { text }: Message): Promise<Answer | undefined> {
    if (said === 'changes') return undefined;
    const changed = this.options.reads?.after === 'changes' || this.statements.some(({ effect }) => effect === 'write');
    if (changed) this.doubt ??= `it reads \`${excerptOf(text)}\`, which statements before it may change`;
    if ('answer' in said) return said.answer;
    if (changed) return undefined; // what it reads is not there yet
    throw said.error;
  }

  private async record(parts: readonly EffectiveStatement[], { text: sent, values, builtAt }: Message): Promise<void> {
    const { file, expected } = this.options;
    const place = file && placeInStack(builtAt instanceof Error ? (builtAt.stack ?? '') : '', file);
    if (parts.length > 1 && values?.length) throw this.fail('it sends several statements with values, which the server refuses');
    for (const { text, effect } of parts) {
      if (expected && !isSame(text, expected[this.statements.length])) throw this.fail('another recording has sent something else');
      this.statements.push({ text, sql: await this.inline(text, values), sent, effect, place, message: this.messages });
    }
  }

  private async inline(text: string, values: readonly unknown[] | undefined): Promise<string> {
    if (!values?.length) return text;
    const { renderValue } = await loadOffline();
    try {
      return await replaceParameters(text, (number) => renderValue(values[number - 1]));
    } catch (error) {
      throw this.fail(`a value of \`${excerptOf(text)}\` cannot be written as text: ${String(error)}`);
    }
  }

  private answer(parts: readonly EffectiveStatement[]): Answer {
    const { rowCount, reads } = this.options;
    const results = parts.map(({ text, command }) =>
      resultOf({ command, rowCount }, (used) => this.noteUse(used, `it needs the answer to \`${excerptOf(text)}\``, reads !== undefined)),
    );
    return { results, tags: [], status: 'T' };
  }

  private noteUse(used: Used, why: string, goesOn: boolean): void {
    if (used === 'count') this.countsUsed = true;
    else if (goesOn) this.doubt ??= why;
    else throw this.fail(why);
  }

  fail(why: string): Error {
    this.failure ??= why;
    this.onFailure?.();
    return new Error(why);
  }
}

/** Why a text cannot be told what it does: it needs data beside it, or ends the transaction that it runs in. */
export function refusedIn(parts: readonly { readonly text: string; readonly effect?: Effect }[], transaction: boolean): string | undefined {
  const found = parts.find(({ effect }) => effect === 'copy' || (transaction && effect === 'control'));
  return found && `it sends \`${excerptOf(found.text)}\``;
}

// knex numbers its savepoints through the life of the process.
function isSame(text: string, other: string | undefined): boolean {
  return other !== undefined && withoutNumber(text) === withoutNumber(other);
}

function withoutNumber(text: string): string {
  return text.replace(/\btrx\d+\b/g, 'trx');
}

// A read that was not answered and calls what may change something.
function asItChanges(statement: EffectiveStatement): EffectiveStatement {
  return statement.calls.length > 0 ? { ...statement, effect: 'write' } : statement;
}

// Newer than the parser, or wrong: the server will say.
function unparsed(text: string): EffectiveStatement {
  return { text: text.trim().replace(/;$/, ''), offset: 0, effect: 'write', command: '', calls: [] };
}
