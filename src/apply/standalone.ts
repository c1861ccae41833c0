import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import { readStatements, type SentStatement, type StatementEntry } from '../history/index.js';
import { hashOf } from '../journal-rows.js';
import type { Answer } from '../session/index.js';
import type { Step } from '../plan.js';
import { describeStatement, splitSql } from '../source/index.js';
import { knexFor, StepConnection, type Failure } from '../step/index.js';
import { admit, judged, whole } from './admit.js';
import { contextOf, refuseUnheard, Run, StepFailed, type Applying, type Blockers } from './applying.js';
import { backOff, blockedForGood, blockersOf } from './blocked.js';
import { failureBehind, failureOf, verifyStep } from './failure.js';
import { followed } from './followed.js';
import { dropInvalidIndex, readIndexState, type IndexState } from './index-state.js';
import { interruptible } from './interrupt.js';
import { renderAnnouncement, renderReset, renderStarted } from './messages.js';
import { recordStandalone } from './record.js';
import { canResume, isAnnounced, leavesNothing, withWhatIsDone } from './settle.js';

/**
 * One migration outside a transaction. Its statements are journalled before they are sent, so that the next boot knows how far a
 * process that died had come; one that is blocked is retried by itself, or with the whole migration where it stood in a transaction of its
 * own and all that was sent before can be seen again without harm.
 * `sent` is what a run that stopped half-way had sent, when this one resumes it.
 */
export async function runStandalone(applying: Applying, step: Step, sent: readonly SentStatement[] | undefined): Promise<Run[]> {
  let round: Round = { sent, tries: 1 };
  for (;;) {
    const ended = await new Standalone(applying, step, round).run();
    if (ended instanceof Run) return [ended];
    round = ended;
  }
}

interface Round {
  readonly sent: readonly SentStatement[] | undefined;
  readonly tries: number;
}

class Standalone {
  private readonly connection: StepConnection;
  private readonly current: Run;
  private number = 0;
  private recording = false;
  /** What stood in the way of the last statement that failed in a transaction of the migration's own. */
  private blocked: { readonly failure: Failure | undefined; readonly blockers: Blockers } | undefined;
  /** Resolves when no statement is on its way, and what became of the last ones stands in the journal. */
  private answered: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly applying: Applying,
    private readonly step: Step,
    private readonly round: Round,
  ) {
    const following = followed(applying, () => ({ step, connection: this.connection }));
    this.connection = new StepConnection(applying.session.wire, {
      transaction: 'none',
      ...following,
      around: (message, send) => {
        const answer = this.statement(message.text, () => following.around?.(message, send) ?? send(message));
        this.answered = Promise.allSettled([this.answered, answer]);
        return answer;
      },
      hear: (...statement) => applying.session.onStatement?.(step.name, ...statement),
      ...(applying.lint && { admit: (text: string) => admit(applying, step, text) }),
      beforeStream: async (text) => renderAnnouncement(this.applying, this.current, await this.entryOf(text)),
    });
    this.current = new Run(step, round.tries, applying.watch);
  }

  /** The run, once it is recorded; or how to try again. */
  async run(): Promise<Run | Round> {
    const { call, session } = this.applying;
    const { name, number, of } = this.step;
    const { tries, sent } = this.round;
    call.report.info('step.started', { migration: name, step: number, of, tries, transaction: false, resumed: sent !== undefined });
    try {
      await session.send(renderStarted(this.applying, this.current));
      await interruptible(this.applying, this.connection, () => this.body());
      await this.record();
      return this.current;
    } catch (error) {
      return await this.failed(error);
    } finally {
      this.connection.close();
    }
  }

  private async body(): Promise<void> {
    const { migration, code, direction } = this.step;
    const { beforeEach, afterEach } = this.applying.call.config.migrations.hooks;
    if (typeof code !== 'function' && !beforeEach && !afterEach) return await judged(this.applying, this.step, () => this.script(code));
    const run = this.round.sent === undefined ? 'first' : 'resumed';
    const knex = await knexFor(this.applying.session, this.connection, () => contextOf(this.applying, this.step, run));
    await beforeEach?.(knex, [migration.knexEntry]);
    await judged(this.applying, this.step, () => (typeof code === 'function' ? whole(this.connection, code(knex)) : this.script(code)));
    await afterEach?.(knex, [migration.knexEntry]);
    if (direction === 'up') await verifyStep(this.step, knex);
  }

  private async script(script: Parameters<typeof splitSql>[0]): Promise<void> {
    for (const { text, offset } of await splitSql(script)) {
      this.connection.offset = offset;
      await this.connection.facade.query(text);
    }
  }

  // Announce, send, and send again when the watch took it back; what a died run has finished is not sent a second time.
  private async statement(text: string, send: () => Promise<Answer>): Promise<Answer | 'skip'> {
    const { session, call } = this.applying;
    if (session.wire.status === 'E') return await send(); // a transaction of its own that has failed: the server says so itself
    const described = await this.entryOf(text);
    if (described.kind === 'setting' && session.wire.status === 'T') return await send(); // SET TRANSACTION comes before any query
    const found = await readIndexState(session, described);
    const announced = isAnnounced(this.round.sent ?? [], described);
    const ours = announced || changes(described, found);
    const entry = ours ? described : { ...described, hash: undefined };
    await session.send(renderAnnouncement(this.applying, this.current, entry));
    if (announced && (await this.adopt(entry, found))) return 'skip';
    const builds = entry.kind === 'create-index-concurrently' && ours;
    for (;;) {
      try {
        call.stop.throwIfAborted(); // announced, and not sent: as good as refused
        return await send();
      } catch (error) {
        await this.refused(entry, builds ? 'our index' : 'no index', error);
      }
    }
  }

  private async entryOf(text: string): Promise<StatementEntry> {
    const summary = await describeStatement(text);
    return { number: ++this.number, ...summary, ...(summary.index && { hash: hashOf(text) }) };
  }

  private async adopt(entry: StatementEntry, state: IndexState): Promise<boolean> {
    const { call, session } = this.applying;
    const done =
      entry.kind === 'create-index-concurrently' ? state === 'valid' : entry.kind === 'drop-index-concurrently' && state === 'none';
    if (done) call.report.info('step.adopted', { migration: this.step.name, statement: entry.summary });
    if (entry.kind === 'create-index-concurrently' && state === 'invalid') await dropInvalidIndex(session, entry);
    return done;
  }

  // Returns when the statement may be sent again; else it goes on record that the server refused it, and that nothing of it is there.
  private async refused(entry: StatementEntry, builds: 'our index' | 'no index', error: unknown): Promise<void> {
    const { session, call } = this.applying;
    if (session.wire.lost) throw error;
    const blockers = call.stop.aborted ? undefined : blockersOf(this.applying, error);
    if (session.wire.status !== 'I') {
      this.blocked = blockers && { failure: this.connection.failure, blockers };
      throw error; // its transaction has failed with it
    }
    try {
      if (!blockers) throw error;
      await backOff(this.applying, this.current, blockers);
      this.current.tries++;
      if (builds === 'our index') await dropInvalidIndex(session, entry);
    } catch (final) {
      const left = builds === 'our index' && (await this.leavesIndex(entry));
      if (!left) await this.recordRefused(entry);
      throw final;
    }
  }

  // The refusal is what the caller must hear of.
  private async recordRefused(entry: StatementEntry): Promise<void> {
    const { session, call } = this.applying;
    try {
      await session.send(renderAnnouncement(this.applying, this.current, { ...entry, failed: true }));
    } catch (error) {
      call.report.warn('step.unrecorded', { migration: this.step.name, statement: entry.summary, reason: messageOf(error) });
    }
  }

  // A build that fails leaves an invalid index. To drop it can take long: when told to stop, that is left to the next boot.
  private async leavesIndex(entry: StatementEntry): Promise<boolean> {
    const { session, call } = this.applying;
    try {
      if (!call.stop.aborted) await dropInvalidIndex(session, entry);
    } catch (error) {
      call.report.warn('step.index-left', { migration: this.step.name, statement: entry.summary, reason: messageOf(error) });
    }
    return (await readIndexState(session, entry)) === 'invalid';
  }

  private async record(): Promise<void> {
    const { session } = this.applying;
    this.current.statementCount = this.connection.statementCount;
    this.current.end();
    await refuseUnheard(this.applying, this.connection);
    if (session.wire.status !== 'I') {
      await session.send('rollback');
      throw new MigrationError('EM_TRANSACTION_BROKEN', 'the migration left a transaction open: what it did there was rolled back');
    }
    this.recording = true;
    await recordStandalone(this.applying, this.current);
  }

  // Gives the next round, where there can be one; else throws.
  private async failed(thrown: unknown): Promise<Round> {
    const { session, call } = this.applying;
    const error = this.connection.refused ?? thrown; // knex has written into it
    this.connection.close();
    this.current.end();
    this.current.statementCount = this.connection.statementCount;
    const blocked = failureBehind(error, this.blocked?.failure);
    const failure = blocked ?? failureBehind(error, this.connection.failure);
    const what = this.recording && { what: 'could not be recorded' };
    const report = await failureOf(this.applying, this.current, { error, failure, ...what });
    if (session.wire.lost) throw new StepFailed([this.current], report, { committing: this.recording });
    const entries = await this.readSent().catch((unread: unknown) => {
      call.report.warn('step.unrecorded', { migration: this.step.name, reason: messageOf(unread) });
      throw new StepFailed([this.current], report, { leftBehind: true, failure }); // nobody knows: a person has to look
    });
    const { blockers } = (blocked && this.blocked) ?? {};
    const end = blockers
      ? await this.again(blockers, entries).catch((final: unknown) => (isMigrationError(final) ? final : report))
      : report;
    if (!isMigrationError(end)) return end;
    const leftBehind = !leavesNothing(entries);
    throw new StepFailed([this.current], leftBehind ? withWhatIsDone(end, this.recording ? 'all' : 'part', entries) : end, {
      leftBehind,
      failure,
    });
  }

  // A transaction of the migration's own was rolled back: what came before it decides whether all of it can be run once more.
  private async again(blockers: Blockers, entries: readonly SentStatement[]): Promise<Round | MigrationError> {
    if (!canResume(entries)) return await blockedForGood(this.applying, `${this.step.name}: ${takenBack}`, blockers);
    await backOff(this.applying, this.current, blockers);
    return { sent: entries, tries: this.current.tries + 1 };
  }

  // Once all that was on its way is answered, and as ourselves: the role that the migration took may have no right on the journal.
  private async readSent(): Promise<readonly SentStatement[]> {
    const { session, tables } = this.applying;
    await Promise.all([this.answered, this.connection.turns.settled()]);
    await session.endStream();
    if (session.wire.status !== 'I') await session.send('rollback');
    await session.send(renderReset(this.applying).join('\n'));
    return await readStatements(session, tables, this.step.name);
  }
}

const takenBack = 'a transaction that it had opened was taken back, and what it had done before must not be done twice';

// Whether it is this statement that will have built or dropped the index: an index that stands there before is somebody else's.
function changes({ kind }: StatementEntry, found: IndexState): boolean {
  return kind === 'create-index-concurrently' ? found === 'none' : found !== 'none';
}
