import { guardExit, loadMigrations } from './apply/index.js';
import type { Call } from './call.js';
import type { LintSettings } from './config/index.js';
import type { Finding } from './finding.js';
import { lintSteps, type LintedStep, type Sizes } from './lint/index.js';
import { captureStep, emptyAmong, lintQuery, lintStepOf, type CapturedStep } from './lint-plan.js';
import { planUpgrade, type Step } from './plan.js';
import { orFindings } from './preflight.js';
import type { Session } from './session/index.js';
import type { Migration } from './source/index.js';
import { compareWithTrace } from './trace-agreement.js';
import type { TracedStatement } from './trace/index.js';

export interface LintMigrationsRequest {
  readonly call: Call;
  /** Instead of the option, which may be false. */
  readonly lint: LintSettings;
  /** Undefined: the text alone is judged. */
  readonly session: Session | undefined;
  /** How large tables are taken for, with a session. Default: as it says. */
  readonly sizes?: Sizes | undefined;
  /** In the order in which they run. */
  readonly migrations: readonly Migration[];
  /** Those of them that have been applied, as far as anybody knows: they only tell what is there. */
  readonly standing: ReadonlySet<Migration>;
  readonly released: 'together' | 'apart';
  /** What a migration was seen to do in a copy of the schema, where that is known. */
  readonly tracedOf: (migration: Migration) => readonly TracedStatement[] | undefined;
}

/** One migration that was judged. */
export interface JudgedMigration {
  readonly migration: Migration;
  /** Undefined: it could not be loaded, or split into statements, which is a finding. */
  readonly captured: CapturedStep | undefined;
  /** `trace`: what it sends was not to be captured, and was seen in the copy. */
  readonly judgedBy: 'capture' | 'trace';
  readonly findings: readonly Finding[];
  /** Why code that is older cannot run on what it leaves. */
  readonly breaking: readonly string[];
}

/**
 * Judges migrations, whether they are pending or not. Runs their code against a connection that only records; with a session their reads and the
 * catalogs are asked, in transactions that are rolled back. What cannot be loaded is a finding; those that stand may fail in silence. Writes nothing.
 */
export async function lintMigrations(request: LintMigrationsRequest): Promise<JudgedMigration[]> {
  const { call, lint, session, sizes, migrations, standing, released } = request;
  const prepared = await prepare(request);
  const readable = prepared.filter(({ captured }) => captured !== undefined);
  const { steps } = await lintSteps({
    config: { rules: call.config.rules, lint },
    query: session && lintQuery(session),
    sizes,
    steps: readable.map(({ migration, captured, traced }) => ({
      ...lintStepOf(captured as CapturedStep),
      ...(traced && { statements: statementsOf(traced) }),
      ...(standing.has(migration) && { stands: true as const }),
    })),
    released,
    transaction: released === 'apart' ? 'each' : call.config.transaction,
  });
  const lintedOf = new Map(readable.map(({ migration }, index) => [migration, steps[index] as LintedStep]));
  const judged = migrations.filter((migration) => !standing.has(migration));
  return judged.map((migration) => {
    const found = prepared.find((each) => each.migration === migration) as Prepared;
    return describe(found, lintedOf.get(migration), request.tracedOf(migration));
  });
}

interface Prepared {
  readonly migration: Migration;
  readonly captured: CapturedStep | undefined;
  /** Where nothing else tells what it sends. */
  readonly traced: readonly TracedStatement[] | undefined;
  readonly failures: readonly Finding[];
}

async function prepare({ call, session, migrations, tracedOf }: LintMigrationsRequest): Promise<Prepared[]> {
  using _guard = guardExit(call, migrations);
  const prepared: Prepared[] = [];
  for (const migration of migrations) {
    const failures: Finding[] = [];
    const before = prepared.flatMap(({ captured }) => captured ?? []);
    const at = { migration: migration.name, ...(migration.file !== undefined && { file: migration.file }) };
    const capture = async () => await captureStep({ call, session }, await stepOf(call, migration), before);
    const captured = await orFindings(failures, capture, at);
    const traced = captured?.capture.exactness === 'opaque' ? tracedOf(migration) : undefined;
    prepared.push({ migration, captured, traced, failures });
  }
  return prepared;
}

// How the set of them would run is no matter here.
async function stepOf(call: Call, migration: Migration): Promise<Step> {
  const { disableTransactions } = call.config.migrations;
  const pending = await loadMigrations(call, [migration], 'up');
  const { steps } = planUpgrade({ pending, applied: [], migrations: [], transaction: 'each', disableTransactions, pooled: false });
  return steps[0] as Step;
}

function statementsOf(traced: readonly TracedStatement[]) {
  return traced.map(({ sql, place }, message) => ({ sql, text: sql, place, message }));
}

function describe(
  { migration, captured, traced, failures }: Prepared,
  linted: LintedStep | undefined,
  seen: readonly TracedStatement[] | undefined,
): JudgedMigration {
  const at = { migration: migration.name, ...(migration.file !== undefined && { file: migration.file }) };
  const judgedBy = traced ? 'trace' : 'capture';
  const findings = [
    ...failures,
    ...notCaptured(captured, judgedBy, at),
    ...(captured ? emptyAmong([captured]) : []),
    ...(linted?.findings ?? []),
    ...(linted && seen ? compareWithTrace({ foreseen: linted.statements, traced: seen, at }) : []),
  ];
  return { migration, captured, judgedBy, findings, breaking: linted?.breaking ?? [] };
}

function notCaptured(captured: CapturedStep | undefined, judgedBy: JudgedMigration['judgedBy'], at: Finding['at']): Finding[] {
  if (captured === undefined || captured.capture.exactness === 'exact') return [];
  const { exactness, reason = '' } = captured.capture;
  const isKnown = exactness === 'approximate' || judgedBy === 'trace';
  const how =
    judgedBy === 'trace'
      ? 'it was judged by what it sent in a copy of the schema'
      : isKnown
        ? 'what was judged may not be all'
        : 'it is not judged beyond that';
  const remedy = isKnown
    ? 'Read it with care: each statement is judged again before it is sent, by what stands in the database then.'
    : 'Give a connection, or --trace, which runs it in a copy of the schema; each statement is judged again before it is sent.';
  return [{ code: 'not-captured', level: 'info', message: `${reason}: ${how}`, remedy, ...(at && { at }) }];
}
