import { MigrationError } from '../errors.js';
import { readStatements, type StatementEntry } from '../history/index.js';
import { StepConnection, type Answer } from '../session/index.js';
import type { Step } from '../plan.js';
import { describeStatement, splitSql } from '../source/index.js';
import { Run, StepFailed, type Applying } from './applying.js';
import { backOff, blockersOf } from './blocked.js';
import { failureOf } from './failure.js';
import { dropInvalidIndex, readIndexState, type IndexState } from './index-state.js';
import { interruptible } from './interrupt.js';
import { renderAnnouncement, renderRecord, renderStarted } from './messages.js';
import { leavesNothing } from './settle.js';

/**
 * One migration outside a transaction. Its statements are journalled before they are sent, so that the next boot knows how far a
 * process that died had come; one that is blocked is retried by itself.
 */
export async function runStandalone(applying: Applying, step: Step, resumed: 'first' | 'resumed'): Promise<Run[]> {
  return await new Standalone(applying, step, resumed).run();
}

class Standalone {
  private readonly connection: StepConnection;
  private readonly current: Run;
  private number = 0;
  private recording = false;

  constructor(
    private readonly applying: Applying,
    private readonly step: Step,
    private readonly resumed: 'first' | 'resumed',
  ) {
    this.connection = new StepConnection(applying.session.wire, {
      transaction: 'none',
      around: (text, send) => this.statement(text, send),
    });
    this.current = new Run(step, 1, applying.watch);
  }

  async run(): Promise<Run[]> {
    const { call, session } = this.applying;
    const { name, number, of } = this.step;
    call.report.info('step.started', { migration: name, step: number, of, transaction: false, resumed: this.resumed === 'resumed' });
    await session.send(renderStarted(this.applying, this.current));
    try {
      await interruptible(this.applying, this.connection, () => this.body());
      await this.record();
      return [this.current];
    } catch (error) {
      throw await this.failed(error);
    } finally {
      this.connection.close();
    }
  }

  private async body(): Promise<void> {
    const { migration } = this.step;
    const { beforeEach, afterEach } = this.applying.call.config.migrations.hooks;
    if (typeof migration.up !== 'function' && !beforeEach && !afterEach) return await this.script(migration.up);
    const knex = await this.applying.session.knex(this.connection.facade);
    await beforeEach?.(knex, [migration.knexEntry]);
    if (typeof migration.up === 'function') await migration.up(knex);
    else await this.script(migration.up);
    await afterEach?.(knex, [migration.knexEntry]);
    await migration.verify?.(knex);
  }

  private async script(script: Parameters<typeof splitSql>[0]): Promise<void> {
    for (const { text } of await splitSql(script)) await this.connection.facade.query(text);
  }

  // Announce, send, and send again when the watch took it back; what a died run has finished is not sent a second time.
  private async statement(text: string, send: () => Promise<Answer>): Promise<Answer | 'skip'> {
    const { session } = this.applying;
    if (session.wire.status === 'E') return await send(); // a transaction of its own that has failed: the server says so itself
    const entry = { number: ++this.number, ...(await describeStatement(text)) };
    const before = await readIndexState(session, entry);
    await session.send(renderAnnouncement(this.applying, this.current, entry));
    if (this.resumed === 'resumed' && (await this.adopt(entry, before))) return 'skip';
    for (;;) {
      try {
        return await send();
      } catch (error) {
        await this.refused(entry, before, error);
      }
    }
  }

  private async adopt(entry: StatementEntry, state: IndexState): Promise<boolean> {
    const { call, session } = this.applying;
    const done =
      entry.kind === 'create-index-concurrently' ? state === 'valid' : entry.kind === 'drop-index-concurrently' && state === 'none';
    if (done) call.report.info('step.adopted', { migration: this.step.name, statement: entry.summary });
    if (entry.kind === 'create-index-concurrently' && state === 'invalid') await dropInvalidIndex(session, entry);
    return done;
  }

  // Returns when the statement may be sent again; else it goes on record that the server refused it.
  private async refused(entry: StatementEntry, before: IndexState, error: unknown): Promise<void> {
    const { session, call } = this.applying;
    if (session.wire.lost || session.wire.status !== 'I') throw error;
    try {
      const blockers = call.stop.aborted ? undefined : blockersOf(this.applying, error);
      if (!blockers) throw error;
      await backOff(this.applying, this.current, blockers);
    } catch (final) {
      if (entry.kind === 'create-index-concurrently' && before === 'none' && !call.stop.aborted) await dropInvalidIndex(session, entry);
      await session.send(renderAnnouncement(this.applying, this.current, { ...entry, failed: true }));
      throw final;
    }
  }

  private async record(): Promise<void> {
    const { session } = this.applying;
    this.current.statementCount = this.connection.statementCount;
    this.current.end();
    if (session.wire.status !== 'I') {
      await session.send('rollback');
      throw new MigrationError('EM_TRANSACTION_BROKEN', 'the migration left a transaction open: what it did there was rolled back');
    }
    this.recording = true;
    const { tags } = await session.send(`begin isolation level read committed;\n${renderRecord(this.applying, [this.current])}`);
    if (tags.at(-1) !== 'COMMIT')
      throw new MigrationError('EM_NOT_COMMITTED', `the server answered the COMMIT with ${tags.at(-1) ?? 'nothing'}`);
  }

  private async failed(error: unknown): Promise<StepFailed> {
    const { session, tables, call } = this.applying;
    this.connection.close();
    this.current.end();
    this.current.statementCount = this.connection.statementCount;
    const report = failureOf(this.applying, this.current, { error, failure: this.connection.failure });
    if (session.wire.lost) return new StepFailed([this.current], report, { committing: this.recording });
    if (session.wire.status !== 'I') await session.send('rollback');
    const entries = await readStatements(session, tables, { migration: this.step.name, run: call.id });
    const leftBehind = !leavesNothing(entries);
    return new StepFailed([this.current], leftBehind ? withWhatIsDone(report, entries) : report, {
      leftBehind,
      failure: this.connection.failure,
    });
  }
}

function withWhatIsDone(error: MigrationError, entries: readonly StatementEntry[]): MigrationError {
  const failed = new Set(entries.filter((entry) => entry.failed).map(({ number }) => number));
  const done = entries.filter(({ number }) => !failed.has(number)).map(({ summary }) => summary);
  const { code, message, remedy, cause } = error;
  const text = `${message.replace(`\n  ${remedy}`, '')}\n  already done outside a transaction: ${done.join('; ')}`;
  return new MigrationError(code, text, { cause: cause ?? error, remedy });
}
