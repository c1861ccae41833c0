import type { Knex } from 'knex';
import { messageOf, MigrationError, sqlStateOf } from '../errors.js';
import { StepConnection, TransactionEnded, type Answer } from '../session/index.js';
import type { Step } from '../plan.js';
import { Run, StepFailed, type Applying } from './applying.js';
import { blockersOf } from './blocked.js';
import { describe, failureOf } from './failure.js';
import { interruptible } from './interrupt.js';
import { recordMark, renderOpening, renderRecord, renderReset, stepsSavepoint } from './messages.js';

/** A set of steps in one transaction, with the rows that record them: all of it is in the database afterwards, or none. */
export async function runInTransaction(applying: Applying, steps: readonly Step[], tries: number): Promise<Run[]> {
  const scope = new Scope(applying, tries);
  return await scope.run(steps);
}

class Scope {
  private readonly connection: StepConnection;
  private readonly runs: Run[] = [];
  private recorded: Answer | undefined;

  constructor(
    private readonly applying: Applying,
    private readonly tries: number,
  ) {
    this.connection = new StepConnection(applying.session.wire, { transaction: 'transaction' });
    this.connection.rideBefore(renderOpening(applying));
  }

  async run(steps: readonly Step[]): Promise<Run[]> {
    try {
      await interruptible(this.applying, this.connection, () => this.body(steps));
      return this.runs;
    } catch (error) {
      throw await this.failed(error);
    } finally {
      this.connection.close();
    }
  }

  private get current(): Run {
    return this.runs.at(-1) as Run;
  }

  // A set of scripts needs no knex, and a script alone needs one message.
  private async body(steps: readonly Step[]): Promise<void> {
    const { hooks } = this.applying.call.config.migrations;
    const scripts = steps.every(({ migration }) => typeof migration.up !== 'function') && !hooks.beforeEach && !hooks.afterEach;
    if (!scripts) return await this.inKnexTransaction(steps);
    for (const step of steps.slice(0, -1)) {
      await this.script(this.begin(step));
    }
    await this.lastScript(this.begin(steps.at(-1) as Step));
  }

  private begin(step: Step): Run {
    this.runs.at(-1)?.end();
    if (this.runs.length > 0) this.connection.rideBefore(renderReset(this.applying));
    const run = new Run(step, this.tries, this.applying.watch);
    this.runs.push(run);
    this.applying.call.report.info('step.started', { migration: step.name, step: step.number, of: step.of, tries: this.tries });
    return run;
  }

  private async inKnexTransaction(steps: readonly Step[]): Promise<void> {
    const knex = await this.applying.session.knex(this.connection.facade);
    await knex.transaction(async (trx) => {
      try {
        for (const step of steps) await this.step(this.begin(step), trx);
        this.connection.end('closing', () => this.record());
      } catch (error) {
        this.connection.end('failing');
        throw error;
      }
    });
    if (!this.recorded) throw new MigrationError('EM_TRANSACTION_BROKEN', 'the transaction ended without being recorded');
  }

  private async step(run: Run, trx: Knex.Transaction): Promise<void> {
    const { beforeEach, afterEach } = this.applying.call.config.migrations.hooks;
    const { migration } = run.step;
    await beforeEach?.(trx, [migration.knexEntry]);
    if (typeof migration.up === 'function') await migration.up(trx);
    else await this.script(run);
    await afterEach?.(trx, [migration.knexEntry]);
    this.refuseSwallowedFailure();
    if (migration.verify) await this.verify(run, trx);
    run.statementCount =
      this.connection.statementCount - this.runs.slice(0, -1).reduce((sum, { statementCount }) => sum + statementCount, 0);
    run.end();
  }

  private async verify(run: Run, trx: Knex.Transaction): Promise<void> {
    try {
      await run.step.migration.verify?.(trx);
    } catch (error) {
      throw new MigrationError('EM_VERIFY_FAILED', `its verify() threw: ${messageOf(error)}`, {
        cause: error,
        remedy: 'Look at what verify() expects. The migration was rolled back.',
      });
    }
    this.refuseSwallowedFailure();
  }

  private async script(run: Run): Promise<void> {
    await this.connection.send({ text: textOf(run.step) });
    run.statementCount = 1;
    run.end();
  }

  // The script, a newline in case it ends in a line comment, and what records it: one message.
  private async lastScript(run: Run): Promise<void> {
    run.statementCount = 1;
    this.connection.committing = true;
    const record = renderRecord(this.applying, this.runs);
    const answer = await this.connection.send({ text: `${textOf(run.step)}\n;${record}` }, 'ends');
    this.checkCommitted(answer, textOf(run.step));
  }

  private async record(): Promise<void> {
    this.refuseSwallowedFailure();
    this.connection.committing = true;
    const answer = await this.connection.send({ text: renderRecord(this.applying, this.runs) }, 'ends');
    this.checkCommitted(answer, '');
  }

  private checkCommitted(answer: Answer, text: string): void {
    const { tags } = answer;
    if (tags.slice(0, -1).includes('COMMIT')) throw new TransactionEnded('committed', text);
    if (tags.at(-1) !== 'COMMIT') {
      throw new MigrationError('EM_NOT_COMMITTED', `the server answered the COMMIT with ${tags.at(-1) ?? 'nothing'}: nothing was applied`);
    }
    this.recorded = answer;
  }

  /** A migration that catches a failed statement and returns looks like success to knex; the server would answer ROLLBACK. */
  private refuseSwallowedFailure(): void {
    const { ended, failure } = this.connection;
    if (ended) throw ended;
    if (this.applying.session.wire.status !== 'E' || !failure) return;
    throw describe('EM_TRANSACTION_BROKEN', this.current, { error: failure.error, failure });
  }

  private async failed(error: unknown): Promise<StepFailed> {
    const { session, call } = this.applying;
    const { ended, committing } = this.connection;
    const cause = ended ?? error;
    if (!session.wire.lost) await this.rollBack();
    if (session.wire.lost) return new StepFailed(this.runs, failureOf(this.applying, this.current, { error: cause }), { committing });
    const blockers = call.stop.aborted ? undefined : blockersOf(this.applying, cause);
    const report = this.failedInRecord(cause)
      ? describe('EM_NOT_COMMITTED', this.current, { error: cause })
      : failureOf(this.applying, this.current, { error: cause, failure: this.connection.failure });
    const leftBehind = cause instanceof TransactionEnded && cause.how === 'committed';
    return new StepFailed(this.runs, report, { leftBehind, ...(blockers && { blockers }), failure: this.connection.failure });
  }

  // A script and its record travel together: the tags that came back tell which of them the server was at.
  private failedInRecord(cause: unknown): boolean {
    const state = sqlStateOf(cause);
    if (!this.connection.committing || state === undefined || state === 'EMLCK' || state === '57014') return false;
    const { wire } = this.applying.session;
    return wire.tags.join().includes(recordMark(this.applying));
  }

  private async rollBack(): Promise<void> {
    const { session, scope } = this.applying;
    if (session.wire.status === 'I') return;
    const timer = setTimeout(() => session.wire.destroy(new Error('the server did not answer the ROLLBACK')), 1_500);
    try {
      await session.wire.send(scope === 'session' ? 'rollback' : `rollback to savepoint ${stepsSavepoint}`);
    } catch {
      // Either the connection is gone, which the wire knows, or there was no transaction left.
    } finally {
      clearTimeout(timer);
    }
  }
}

function textOf({ migration }: Step): string {
  return typeof migration.up === 'function' ? '' : migration.up.text;
}
