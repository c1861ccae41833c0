import { loadMigrations } from '../apply/index.js';
import type { CapturedStatement } from '../capture/index.js';
import type { Options } from '../config/index.js';
import type { Finding } from '../finding.js';
import { checkGates } from '../gate.js';
import { resolved } from '../history/index.js';
import { capturePlan, emptyAmong, isCompatible, lintCaptured, type CapturedStep } from '../lint-plan.js';
import { foreseenLocks, type ForeseenLock, type LintedStep } from '../lint/index.js';
import { planUpgrade, selectPending, type Plan, type Target } from '../plan.js';
import { isPooled } from '../pooler.js';
import { readState } from '../read-state.js';
import { openDatabase, runOnHistory, type Opened } from '../run-call.js';
import { migrationId, type Migration } from '../source/index.js';
import { redact } from '../sql.js';
import { baselineOf, withoutStamped, withoutUnmanaged, type State } from '../state.js';
import type { TracedStatement } from '../trace/index.js';
import type { Trace, TraceFailure } from '../traced-steps.js';

/** How far, and whether it is tried in a scratch copy. */
export interface PlanOptions {
  /** Default `head`. */
  readonly target?: Target | undefined;
  /** Runs what is pending in a scratch copy of the schema, and tells what each statement locks, rewrites, scans and builds there. */
  readonly trace?: boolean | undefined;
}

/** What an upgrade would do. The names and meanings of these fields are kept. */
export interface PlannedUpgrade {
  readonly database: string;
  /** The newest applied migration now; undefined at base. */
  readonly from: string | undefined;
  /** The newest applied migration afterwards. */
  readonly to: string | undefined;
  /** What is found of code and database now. Of level error: the upgrade would be refused. */
  readonly findings: readonly Finding[];
  /** What would be recorded without being run, by the option `baseline`. */
  readonly stamped: readonly string[];
  /** `each`: a transaction for each step that runs in one. `all`: one for all of them. */
  readonly transaction: Plan['transaction'];
  /** In the order in which they run. */
  readonly steps: readonly PlannedStep[];
  /** Where a trace was asked for and something is pending. */
  readonly trace: PlannedTrace | undefined;
}

/** How the trace came about. */
export interface PlannedTrace {
  /** How the schema was copied: `replay` of the applied migrations, else the `dump` of pg_dump. */
  readonly madeBy: 'replay' | 'dump';
  /** What failed in the copy: nothing behind it was traced. */
  readonly failure: TraceFailure | undefined;
}

/** One migration that would run. */
export interface PlannedStep {
  readonly name: string;
  /** False: outside of one. */
  readonly transaction: boolean;
  /** Whether code older than it can still run: as its config says, else as the lint sees it. */
  readonly compatible: boolean;
  /** What the lint saw that older code cannot live with. */
  readonly breaks: readonly string[];
  /**
   * Whether `statements` is what would be sent: `approximate` where it has looked at something that statements before it may change, `opaque`
   * where no more is known.
   */
  readonly exactness: 'exact' | 'approximate' | 'opaque';
  /** Why it is not exact. */
  readonly reason: string | undefined;
  readonly statements: readonly PlannedStatement[];
  /** What the lint foresees that it locks, as far as `statements` goes; undefined where the option `lint` is false. A trace tells it for sure. */
  readonly locks: readonly ForeseenLock[] | undefined;
  /** What it sent in the copy, and what that did; undefined where no trace was asked for, or it did not come so far. */
  readonly trace: readonly TracedStatement[] | undefined;
}

/** A statement that a migration would send. */
export interface PlannedStatement {
  /** With its values, and without passwords. */
  readonly sql: string;
  /** `read`: it is put to the database, here as in a run. */
  readonly effect: CapturedStatement['effect'];
  /** `file:line`. */
  readonly place: string | undefined;
}

/**
 * Tells what an upgrade to the target would run, statement by statement. The code of pending migrations is run against a connection that only
 * records; their reads are answered from the database, in a read-only transaction that is rolled back. Takes no lock, writes nothing. With
 * nothing pending it costs a connection and one round trip, and loads no migration. Throws EM_PLAN_REFUSED for a target that is not ahead.
 *
 * With `trace` the applied and the pending migrations are run for real, in a scratch database that is made beside this one and dropped: it needs
 * CREATEDB, and has no rows. What fails there is told in the result. Throws EM_SCRATCH_UNAVAILABLE; EM_PLAN_REFUSED where the schema cannot be copied.
 */
export async function plan(options: Options, { target = 'head', trace }: PlanOptions = {}): Promise<PlannedUpgrade> {
  return await runOnHistory({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call);
    const state = await readState(opened);
    const stamped = baselineOf(call.config, state, opened.migrations);
    const pending = withoutStamped(selectPending(target, state, opened.migrations), stamped);
    const nothing = { described: [], findings: [], transaction: call.config.transaction };
    const { described, findings, transaction } = pending.length > 0 ? await describeSteps(opened, state, pending) : nothing;
    const traced = trace && pending.length > 0 ? await (await loadTrace()).traceSteps({ opened, state, stamped, pending }) : undefined;
    const steps = described.map((step) => Object.freeze({ ...step, trace: traced && tracedOf(step, traced) }));
    const to = steps.at(-1)?.name ?? stamped.at(-1)?.name ?? state.revision;
    return Object.freeze({
      database: opened.history.facts.database,
      from: state.revision,
      to,
      findings: Object.freeze([...worthTelling(state, stamped), ...findings]),
      stamped: Object.freeze(stamped.map(({ name }) => name)),
      transaction,
      steps: Object.freeze(steps),
      trace: traced && Object.freeze({ madeBy: traced.madeBy, failure: traced.failure }),
    });
  });
}

async function loadTrace(): Promise<typeof import('../traced-steps.js')> {
  return await import('../traced-steps.js');
}

// The copy's history may have the name in another form.
function tracedOf({ name }: Described, { migrations, failure }: Trace): readonly TracedStatement[] | undefined {
  const found = migrations.find((each) => migrationId(each.name) === migrationId(name));
  return found?.statements ?? (failure ? undefined : Object.freeze([]));
}

// What is pending is what the plan is about.
function worthTelling({ findings }: State, stamped: readonly Migration[]): Finding[] {
  return withoutUnmanaged(findings, stamped).filter(({ code }) => code !== 'history-pending');
}

type Described = Omit<PlannedStep, 'trace'>;

async function describeSteps(
  opened: Opened,
  { applied }: State,
  pending: readonly Migration[],
): Promise<Pick<PlannedUpgrade, 'findings' | 'transaction'> & { readonly described: readonly Described[] }> {
  const { call, session, history, migrations: all } = opened;
  const { transaction, migrations } = call.config;
  const pooled = isPooled(opened);
  const loaded = await loadMigrations(call, pending, 'up');
  const planned = planUpgrade({
    pending: loaded,
    applied,
    migrations: all,
    transaction,
    disableTransactions: migrations.disableTransactions,
    pooled,
  });
  const captured = await capturePlan({ call, session }, planned);
  const lint = await lintCaptured({ call, session, migrations: all }, captured, planned.transaction);
  const described = captured.map((each, index) => describeStep(each, lint?.steps[index]));
  const gates = await checkGates({ call, session, history, tables: resolved(opened), pending: loaded, transaction: planned.transaction });
  return { findings: [...(lint?.findings ?? []), ...emptyAmong(captured), ...gates], transaction: planned.transaction, described };
}

function describeStep({ step: { name, transaction, migration }, capture }: CapturedStep, linted: LintedStep | undefined): Described {
  const { statements, exactness, reason } = capture;
  const shown = statements.map(({ sql, effect, place }) => Object.freeze({ sql: redact(sql), effect, place }));
  const compatible = isCompatible(migration, capture, linted?.breaking);
  const breaks = Object.freeze([...(linted?.breaking ?? [])]);
  const locks = linted && foreseenLocks(linted);
  return { name, transaction, compatible, breaks, exactness, reason, statements: Object.freeze(shown), locks };
}
