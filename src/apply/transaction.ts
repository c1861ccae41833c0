import type { Knex } from 'knex';
import { MigrationError, sqlStateOf } from '../errors.js';
import type { Answer, Hear } from '../session/index.js';
import type { Step } from '../plan.js';
import { brokenBy, knexFor, StepConnection, type Failure } from '../step/index.js';
import { admit, judged, whole } from './admit.js';
import { contextOf, Run, StepFailed, type Applying } from './applying.js';
import { blockersOf } from './blocked.js';
import { failureBehind, failureOf, isLockLost, notCommitted, swallowedFailure, verifyStep } from './failure.js';
import { followed } from './followed.js';
import { entriesOf, hookFailure, type HookName } from './hooks.js';
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
  /** The one that is running. */
  private hook: HookName | undefined;
  private thrown: { readonly error: unknown } | undefined;

  constructor(
    private readonly applying: Applying,
    private readonly tries: number,
  ) {
    const following = followed(applying, () => (this.hook ? undefined : { step: this.current.step, connection: this.connection }));
    const admitting = applying.lint && {
      admit: async (text: string) => (this.hook ? undefined : await admit(applying, this.current.step, text)),
    };
    const options = { transaction: 'transaction', hear: this.hear, ...following, ...admitting } as const;
    this.connection = new StepConnection(applying.session.wire, options);
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

  // What a hook around the set sends is no migration's.
  private readonly hear: Hear = (...statement) => {
    if (!this.hook) this.applying.session.onStatement?.(this.current.step.name, ...statement);
  };

  private get current(): Run {
    return this.runs.at(-1) as Run;
  }

  // A set of scripts needs no knex, and a script alone needs one message.
  private async body(steps: readonly Step[]): Promise<void> {
    const { plan, call, session } = this.applying;
    const { beforeAll, beforeEach, afterEach, afterAll } = call.config.migrations.hooks;
    const called = [beforeEach, afterEach, ...(plan.transaction === 'all' ? [beforeAll, afterAll] : [])].some(Boolean);
    const scripts = steps.every(({ code }) => typeof code !== 'function') && !called && !session.follower;
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
    this.applying.call.stop.throwIfAborted(); // whoever heard that may have told us to stop; a script and its COMMIT are one message
    return run;
  }

  private async inKnexTransaction(steps: readonly Step[]): Promise<void> {
    const knex = await knexFor(this.applying.session, this.connection, () => contextOf(this.applying, this.current.step, 'first'));
    await knex.transaction(async (trx) => {
      try {
        await this.aroundAll('beforeAll', trx);
        for (const step of steps) await this.step(this.begin(step), trx);
        await this.aroundAll('afterAll', trx);
        this.connection.end('closing', () => this.record());
      } catch (error) {
        this.connection.end('failing');
        this.thrown = { error };
        throw error;
      }
    });
    if (this.thrown) throw this.thrown.error; // knex takes undefined for no error
    if (!this.recorded) throw new MigrationError('EM_TRANSACTION_BROKEN', 'the transaction ended without being recorded');
  }

  private async aroundAll(name: HookName, trx: Knex.Transaction): Promise<void> {
    const { plan, call, session } = this.applying;
    const hook = plan.transaction === 'all' ? call.config.migrations.hooks[name] : undefined;
    if (!hook) return;
    this.hook = name;
    await hook(trx, entriesOf(this.applying));
    const { over, failure, unheard } = this.connection;
    if (over) throw over;
    if (unheard) throw unheard as Error;
    if (session.wire.status === 'E' && failure) throw failure.thrown as Error; // it has caught that
    this.hook = undefined;
  }

  private async step(run: Run, trx: Knex.Transaction): Promise<void> {
    const { beforeEach, afterEach } = this.applying.call.config.migrations.hooks;
    const { migration, code, direction } = run.step;
    await beforeEach?.(trx, [migration.knexEntry]);
    if (typeof code === 'function') await judged(this.applying, run.step, () => whole(this.connection, code(trx)));
    else await this.script(run);
    await afterEach?.(trx, [migration.knexEntry]);
    await this.refuseSwallowedFailure();
    if (migration.verify && direction === 'up') {
      await verifyStep(run.step, trx);
      await this.refuseSwallowedFailure();
    }
    this.count(run);
    run.end();
  }

  private count(run: Run): void {
    const before = this.runs.slice(0, -1).reduce((sum, { statementCount }) => sum + statementCount, 0);
    run.statementCount = Math.max(run.statementCount, this.connection.statementCount - before);
  }

  private async script(run: Run): Promise<void> {
    this.hear(textOf(run.step), undefined);
    await judged(this.applying, run.step, () => this.applying.lint?.pass());
    await this.connection.pass({ text: textOf(run.step) });
    run.statementCount = 1;
    run.end();
  }

  // The script, a newline in case it ends in a line comment, and what records it: one message.
  private async lastScript(run: Run): Promise<void> {
    run.statementCount = 1;
    this.hear(textOf(run.step), undefined);
    await judged(this.applying, run.step, () => this.applying.lint?.pass());
    this.connection.committing = true;
    const record = renderRecord(this.applying, this.runs);
    const answer = await this.connection.send({ text: `${textOf(run.step)}\n;${record}` }, 'ends');
    run.end();
    this.checkCommitted(answer, run);
  }

  private async record(): Promise<void> {
    await this.refuseSwallowedFailure();
    this.connection.committing = true;
    const answer = await this.connection.send({ text: renderRecord(this.applying, this.runs) }, 'ends');
    this.checkCommitted(answer);
  }

  private checkCommitted(answer: Answer, script?: Run): void {
    const { tags } = answer;
    const before = { tags: tags.slice(0, -1), status: 'T' as const };
    const broken = script && brokenBy(before, textOf(script.step), 'answered');
    if (broken) throw (this.connection.broken = broken);
    if (tags.at(-1) !== 'COMMIT') {
      throw new MigrationError('EM_NOT_COMMITTED', `the server answered the COMMIT with ${tags.at(-1) ?? 'nothing'}: nothing was applied`);
    }
    this.recorded = answer;
  }

  /** A migration that catches a failed statement and returns looks like success to knex; the server would answer ROLLBACK. */
  private async refuseSwallowedFailure(): Promise<void> {
    const { over, failure, unheard } = this.connection;
    if (over) throw over;
    if (unheard) throw unheard as Error;
    if (this.applying.session.wire.status === 'E' && failure) throw await swallowedFailure(this.current, failure);
  }

  private async failed(error: unknown): Promise<StepFailed> {
    const { session, call } = this.applying;
    if (this.runs.length === 0 && !this.hook) throw session.lostOr(call.stop.aborted ? call.stop.reason : error); // nothing has begun
    const { broken, over, committing } = this.connection;
    const cause = over ?? error;
    const failure = failureBehind(error, this.connection.failure);
    const reporting = this.report(cause, failure);
    if (session.wire.lost) return new StepFailed(this.runs, await reporting, { committing });
    const blockers = call.stop.aborted ? undefined : blockersOf(this.applying, cause);
    await this.rollBack();
    const leftBehind = broken?.leftBehind ?? false;
    const runs = this.hook && !leftBehind ? [] : this.runs; // no migration has failed
    return new StepFailed(runs, await reporting, { leftBehind, failure, ...(blockers && { blockers }) });
  }

  // What is said is decided before the rollback, which may lose the session; to find the statement in a script can wait.
  private async report(cause: unknown, failure: Failure | undefined): Promise<MigrationError> {
    if (this.hook) return hookFailure(this.applying, this.hook, { error: cause, failure });
    this.count(this.current);
    if (this.failedInRecord(cause)) return await notCommitted(this.runs, cause);
    return await failureOf(this.applying, this.current, { error: cause, failure });
  }

  // A script and its record travel together: the tags that came back for them tell at which of the two the server was.
  private failedInRecord(cause: unknown): boolean {
    const state = sqlStateOf(cause);
    if (!this.connection.committing || state === undefined || isLockLost(state) || state === '57014') return false;
    const { tags } = this.applying.session.wire;
    const doneCount = this.connection.failure?.doneCount ?? 0;
    const own = tags.slice(tags.length - doneCount).join();
    return own.includes(recordMark(this.applying));
  }

  private async rollBack(): Promise<void> {
    const { session, scope } = this.applying;
    if (session.wire.status === 'I' && session.wire.idle) return; // while the BEGIN is on its way the status is that of before
    await session.endStream();
    const timer = setTimeout(() => session.wire.destroy(new Error('the server did not answer the ROLLBACK')), 1_500);
    try {
      await this.connection.turns.settled(); // a question about a statement that will not be sent any more
      const ours = scope === 'xact' && !this.connection.broken; // else the savepoint went with its transaction
      await session.wire.send(ours ? `rollback to savepoint ${stepsSavepoint}` : 'rollback');
    } catch (error) {
      // A stream that does not close holds the connection: the server rolls back when it is gone.
      session.wire.destroy(error as Error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function textOf({ code }: Step): string {
  return typeof code === 'function' ? '' : code.text;
}
