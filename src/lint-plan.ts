import { guardExit } from './apply/index.js';
import type { Call } from './call.js';
import { captureMigration, type Capture } from './capture/index.js';
import type { LintSettings } from './config/index.js';
import { isMigrationError } from './errors.js';
import type { Finding } from './finding.js';
import { lintSteps, LiveLint, type LintedStep, type LintStep } from './lint/index.js';
import type { Plan, Step } from './plan.js';
import { guarded, type GuardedQuery, type Session } from './session/index.js';
import { parsedLength, type LoadedMigration, type Migration } from './source/index.js';
import { findRevision } from './state.js';

/** A step with what it would send. */
export interface CapturedStep {
  readonly step: Step;
  readonly capture: Capture;
}

interface Place {
  readonly call: Call;
  readonly session: Session;
}

interface LintPlace extends Place {
  /** All of the code, of which `lint.from` names one. */
  readonly migrations: readonly Migration[];
}

/**
 * Captures each step of a plan, in its order. Their reads are put to the database, in a transaction that is rolled back, or in the open one as far as a
 * savepoint; see {@link captureMigration}.
 */
export async function capturePlan({ call, session }: Place, { steps }: Plan): Promise<CapturedStep[]> {
  using _guard = guardExit(call, steps);
  const captured: CapturedStep[] = [];
  for (const step of steps) captured.push(await captureOrOpaque({ call, session }, step, captured));
  return captured;
}

// A server may know a syntax that the parser does not.
async function captureOrOpaque(place: Place, step: Step, before: readonly CapturedStep[]): Promise<CapturedStep> {
  try {
    return await captureStep(place, step, before);
  } catch (error) {
    if (!isMigrationError(error, 'EM_MIGRATION_INVALID')) throw error;
    return { step, capture: opaque('its text cannot be parsed') };
  }
}

function opaque(reason: string): Capture {
  return { statements: [], exactness: 'opaque', reason };
}

/** The same for one step, after those that have been captured. Without a session a migration that needs an answer is opaque. */
export async function captureStep(
  { call, session }: Pick<Place, 'call'> & { readonly session: Session | undefined },
  step: Step,
  before: readonly CapturedStep[],
): Promise<CapturedStep> {
  if (typeof step.code !== 'function' && step.code.text.length > parsedLength)
    return { step, capture: opaque(`its text is longer than ${parsedLength} characters`) };
  const after = before.some(({ capture }) => changesSomething(capture)) ? 'changes' : 'nothing';
  return { step, capture: await captureMigration({ call, ...step, reads: session ? { session, after } : 'refused' }) };
}

function changesSomething({ statements, exactness }: Capture): boolean {
  return exactness === 'opaque' || statements.some(({ effect }) => effect !== 'read');
}

/** What the lint says of a plan, and what judges its statements when they are sent. */
export interface PlanLint {
  readonly findings: readonly Finding[];
  readonly steps: readonly LintedStep[];
  readonly captured: readonly CapturedStep[];
  readonly live: LiveLint;
}

const patienceMs = 1_000;

/** Asks the catalogs for the lint. */
export function lintQuery(session: Session): GuardedQuery {
  return guarded(session, { lockTimeoutMs: patienceMs });
}

/**
 * Judges captured steps against the live catalog, by one query more. Writes nothing; waits up to a second to learn the size of a table that is
 * locked. Undefined where the option `lint` is false. Throws EM_PLAN_REFUSED for a `lint.from` that names no migration.
 */
export async function lintCaptured(
  { call: { config }, session, migrations }: LintPlace,
  captured: readonly CapturedStep[],
  transaction: Plan['transaction'],
): Promise<PlanLint | undefined> {
  const { rules, lint } = config;
  if (lint === false) return undefined;
  const request = { config: { rules, lint: settleFrom(lint, migrations) }, transaction };
  const { steps, known, foreseen } = await lintSteps({
    ...request,
    query: lintQuery(session),
    steps: captured.map(lintStepOf),
    released: 'together',
  });
  return { findings: steps.flatMap(({ findings }) => findings), steps, captured, live: new LiveLint({ ...request, known, foreseen }) };
}

/** Captures a plan and judges it: what an upgrade asks before its first change. Neither is done where the option `lint` is false. */
export async function lintPlan(place: LintPlace, plan: Plan): Promise<PlanLint | undefined> {
  if (place.call.config.lint === false || plan.steps.length === 0) return undefined;
  return await lintCaptured(place, await capturePlan(place, plan), plan.transaction);
}

/** The settings with the whole name of the revision from which on migrations are judged. Throws EM_PLAN_REFUSED where none is meant, or several. */
export function settleFrom(lint: LintSettings, migrations: readonly Migration[]): LintSettings {
  return lint.from === undefined ? lint : { ...lint, from: findRevision(lint.from, migrations, '`lint.from`').name };
}

const saidByCheck: Readonly<Record<string, string>> = {
  'concurrently-in-transaction': 'sql-non-transactional',
  'nested-transaction': 'sql-transaction-control',
};

/** The findings of the lint without what a check has found in the same script: the checks look at scripts too, also at those that the lint does not. */
export function withoutRepeated(lint: readonly Finding[], checks: readonly Finding[]): Finding[] {
  const isSaid = ({ code, at }: Finding) =>
    checks.some((found) => found.code === saidByCheck[code] && found.at?.migration === at?.migration);
  return lint.filter((finding) => !isSaid(finding));
}

/**
 * A remark on each migration that sends nothing at all, for those who look before a release: a template that nobody has filled in is recorded as
 * applied like any other. A boot says nothing of it, since it does no harm, and some are empty on purpose.
 */
export function emptyAmong(captured: readonly CapturedStep[]): Finding[] {
  return captured
    .filter(({ capture: { statements, exactness } }) => exactness === 'exact' && statements.length === 0)
    .map(({ step: { name, migration } }) => ({
      code: 'migration-empty',
      level: 'info',
      message: `${name} sends no statement: an upgrade does nothing, and records it as applied`,
      remedy:
        'Fill it in before it is applied, since afterwards that is an edit (history-edited); or leave it, where it is meant to be empty.',
      at: { migration: name, ...(migration.file !== undefined && { file: migration.file }) },
    }));
}

/** A captured migration as the lint takes it. */
export function lintStepOf({ step: { name, migration, transaction }, capture }: CapturedStep): LintStep {
  const { statements, exactness, reason } = capture;
  const unread = exactness === 'opaque' ? { opaque: reason } : {};
  return { name, file: migration.file, transaction, safe: migration.config.safe, statements, ...unread };
}

/** Whether code that is older can still run: as the migration's config says, else as the lint has seen. What is not known counts as breaking. */
export function isCompatible({ config }: LoadedMigration, capture: Capture | undefined, breaking: readonly string[] | undefined): boolean {
  if (config.breaking !== undefined) return !config.breaking;
  return breaking !== undefined && breaking.length === 0 && capture?.exactness !== 'opaque';
}

/** A migration that older releases cannot live with. */
export interface BreakingMigration {
  readonly name: string;
  /** What the lint saw that they cannot live with; none where its config says so, or where not all of it is known. */
  readonly breaks: readonly string[];
}

/** Those of a plan that older releases cannot live with, as far as a capture can see; all that do not say otherwise where the option `lint` is false. */
export function breakingIn({ steps }: Plan, lint: PlanLint | undefined): BreakingMigration[] {
  return steps.flatMap(({ name, migration }, index) => {
    const breaks = lint?.steps[index]?.breaking;
    return isCompatible(migration, lint?.captured[index]?.capture, breaks) ? [] : [{ name, breaks: breaks ?? [] }];
  });
}
