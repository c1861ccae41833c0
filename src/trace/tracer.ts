import { messageOf, sqlStateOf } from '../errors.js';
import type { Answer, Message, Sending } from '../session/index.js';
import { findKindLocks, splitByEffect, type EffectiveStatement, type KindLock } from '../source/index.js';
import { literal, qualified, redact } from '../sql.js';
import { effectsOf, nothing, type Effects, type TracedLock } from './effects.js';
import { probe, type Probe, type Relation } from './probe.js';

/** One statement, and what it was seen to do. */
export interface TracedStatement extends Effects {
  /** As it was sent, with `$1` for values, and without passwords. */
  readonly sql: string;
  /** `file:line`; undefined where it is not known. */
  readonly place: string | undefined;
  /** On a copy without rows: what does not depend on rows. */
  readonly durationMs: number;
  /**
   * `server`: as the server had them. `statement`: by the manual, for a kind of statement that runs in no transaction and has let go of them
   * when it ends. `unknown`: it cannot be told what it locks, or whether; scans are then unknown too.
   */
  readonly locksFrom: 'server' | 'statement' | 'unknown';
  /** What the server said against it; then all that it did was taken back, and nothing else is known of it. */
  readonly error?: { readonly code: string | undefined; readonly message: string };
}

/** Traces what one migration sends; each message is a turn, however many it sends at once. */
export class Tracer {
  readonly statements: TracedStatement[] = [];
  private before = new Map<string, Relation>();
  private held: Probe['held'] = new Map();
  private old: ReadonlySet<string> | undefined;
  /** Something has happened that was not looked at, or was taken back. */
  private stale = true;
  private turn: Promise<unknown> = Promise.resolve();

  /** `except`: tables that are left out, by their names as SQL. */
  constructor(private readonly except: readonly string[] = []) {}

  /**
   * Sends a message statement by statement and looks after each. In a transaction it looks from inside of that. A statement outside of any gets
   * one for itself, which is what the server does too; one that refuses that is sent as it is. What sets something, and what begins or ends a
   * transaction or a savepoint, is sent and not listed.
   */
  async around(sending: Sending): Promise<Answer> {
    const turn = this.turn.then(() => this.trace(sending));
    this.turn = turn.catch(() => undefined);
    return await turn;
  }

  /** What a stream did is not looked at: it has the connection. */
  onStream(text: string): void {
    this.list({ sql: text, place: undefined, durationMs: 0, locksFrom: 'unknown', ...nothing });
    this.stale = true;
  }

  private async trace(sending: Sending): Promise<Answer> {
    const { message, send, wire, transaction } = sending;
    const parts = await partsOf(message);
    if (parts.every(isSilent)) {
      this.stale = true;
      return await send(message);
    }
    if (transaction !== 'none' || wire.status !== 'I') return await this.inside(sending, parts);
    return needsTransaction(parts) ? await this.bare(sending, parts) : await this.alone(sending, parts);
  }

  private async inside(sending: Sending, parts: readonly Part[]): Promise<Answer> {
    const { message, send } = sending;
    const answers: Answer[] = [];
    for (const part of parts) {
      const whole = parts.length === 1;
      const sent = whole ? message : { ...message, text: part.text };
      const offset = whole ? 0 : part.offset;
      if (isSilent(part)) this.stale = true;
      answers.push(isSilent(part) ? await send(sent, offset) : await this.statement(sending, part, () => send(sent, offset)));
    }
    const [last] = answers.slice(-1) as [Answer];
    return { ...last, results: answers.flatMap(({ results }) => results), tags: answers.flatMap(({ tags }) => tags) };
  }

  private async statement(sending: Sending, part: Part, send: () => Promise<Answer>): Promise<Answer> {
    if (this.stale && sending.wire.status !== 'E') await this.look(sending);
    const { answer, durationMs } = await this.measured(sending, part, send);
    const after = await probe({ send: sending.send, of: 'locked', except: this.except });
    const effects = this.effects(part, after);
    this.list({ sql: part.text, place: sending.placeOf(part.offset), durationMs, locksFrom: 'server', ...effects });
    this.keep(after);
    return answer;
  }

  private async measured(sending: Sending, part: Part, send: () => Promise<Answer>): Promise<{ answer: Answer; durationMs: number }> {
    const started = performance.now();
    const durationMs = () => Math.round((performance.now() - started) * 10) / 10;
    try {
      return { answer: await send(), durationMs: durationMs() };
    } catch (error) {
      this.stale = true;
      const said = { code: sqlStateOf(error), message: redact(messageOf(error)) };
      const place = sending.placeOf(part.offset);
      this.list({ sql: part.text, place, durationMs: durationMs(), locksFrom: 'unknown', ...nothing, error: said });
      throw error;
    }
  }

  private async alone(sending: Sending, parts: readonly Part[]): Promise<Answer> {
    const { send, wire } = sending;
    const listed = this.statements.length;
    this.stale = true; // scans are counted anew
    await send({ text: 'begin' });
    try {
      const answer = await this.inside(sending, parts);
      await send({ text: 'commit' });
      return answer;
    } catch (error) {
      if (wire.lost) throw error;
      await wire.send('rollback');
      if (!runsInNoTransaction(error)) throw error;
      this.statements.length = listed;
      return await this.bare(sending, parts);
    } finally {
      this.stale = true;
    }
  }

  // Its locks are gone when it ends, and a second connection that looks meanwhile would have to be quick: an empty table is indexed in a
  // millisecond. Files stay, and tell what was written.
  private async bare(sending: Sending, [first, ...others]: readonly Part[]): Promise<Answer> {
    const { message, send } = sending;
    const part = { ...(first as Part), ...(others.length > 0 && { text: message.text }) };
    await this.look(sending);
    const locks = await this.kindLocks(sending, part);
    const { answer, durationMs } = await this.measured(sending, part, () => send(message));
    const after = await probe({ send, of: 'all', except: this.except });
    const { rewritten, indexesBuilt } = this.effects(part, after);
    const seen = { ...nothing, locks: locks ?? [], held: locks ?? [], rewritten, indexesBuilt };
    const locksFrom = locks ? 'statement' : 'unknown';
    this.list({ sql: part.text, place: sending.placeOf(part.offset), durationMs, locksFrom, ...seen });
    return answer;
  }

  // Before it runs: a name that it drops is gone afterwards.
  private async kindLocks({ send }: Sending, { text }: Part): Promise<TracedLock[] | undefined> {
    const locks = await findKindLocks(text);
    if (!locks) return undefined;
    const named: TracedLock[] = [];
    for (const lock of locks) {
      const table = this.before.get(await this.tableOf(send, lock));
      if (table && this.old?.has(table.oid)) named.push({ table: table.name, mode: lock.mode });
    }
    return named;
  }

  private async tableOf(send: Sending['send'], { schema, name }: KindLock): Promise<string> {
    const regclass = `pg_catalog.to_regclass(${literal(qualified(schema, name))})::pg_catalog.oid`;
    const { results } = await send({
      text: `select coalesce((select indrelid from pg_catalog.pg_index where indexrelid operator(pg_catalog.=) ${regclass}), ${regclass})::pg_catalog.text as oid`,
    });
    return (results.at(-1)?.rows[0] as { oid: string | null } | undefined)?.oid ?? '';
  }

  private async look({ send }: Sending): Promise<void> {
    const found = await probe({ send, of: 'all', except: this.except });
    this.before = new Map();
    this.keep(found);
    this.old ??= new Set(found.relations.map(({ oid }) => oid));
    this.stale = false;
  }

  private effects({ command }: Part, after: Probe): Effects {
    return effectsOf({ before: this.before, heldBefore: this.held, after, old: this.old ?? new Set(), command });
  }

  private keep({ relations, held }: Probe): void {
    for (const relation of relations) this.before.set(relation.oid, relation);
    this.held = held;
  }

  private list({ sql, ...statement }: TracedStatement): void {
    this.statements.push(freezeDeep({ sql: redact(sql), ...statement }));
  }
}

interface Part extends Pick<EffectiveStatement, 'text' | 'offset' | 'command'> {
  readonly effect: EffectiveStatement['effect'];
}

// One message where it is not to be cut: what the parser cannot read, what the server will refuse, what ends the transaction in its middle.
async function partsOf({ text, values }: Message): Promise<readonly Part[]> {
  const whole: Part = { text: text.trim().replace(/;$/, ''), offset: 0, command: '', effect: 'write' };
  const parts = await splitByEffect(text);
  if (parts === undefined || parts.length <= 1) return parts ?? [whole];
  const cut = !values?.length && !parts.some(({ effect }) => effect === 'control' || effect === 'copy');
  return cut ? parts : [whole];
}

// SET TRANSACTION has to come before any query: nothing is asked around such a statement.
function isSilent({ effect, command }: Part): boolean {
  return effect === 'setting' || effect === 'control' || /^(SAVEPOINT|RELEASE|ROLLBACK)$/.test(command);
}

// 25P01, no_active_sql_transaction, is the server's answer to one that stands by itself. In a transaction of ours it would run.
function needsTransaction([first, ...others]: readonly Part[]): boolean {
  return others.length === 0 && /^(LOCK|DECLARE)$/.test(first?.command ?? '');
}

// 25001: active_sql_transaction, of CONCURRENTLY and VACUUM. 2D000: invalid_transaction_termination, of a COMMIT in DO or CALL.
function runsInNoTransaction(error: unknown): boolean {
  return ['25001', '2D000'].includes(sqlStateOf(error) ?? '');
}

function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) freezeDeep(each);
  return Object.freeze(value);
}
