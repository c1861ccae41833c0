import type { Config } from '../config/index.js';
import type { Finding } from '../finding.js';
import { migrationId } from '../source/index.js';
import { KnownFacts, type Query, type Sizes } from './catalog/index.js';
import { Judge, type ForeseenEffect, type LintConfig, type Verdict } from './judge.js';
import type { JudgedStep, Statement } from './rule.js';
import { readStatements, type Unread } from './statement.js';

/** A migration as it was captured. */
export interface LintStep {
  readonly name: string;
  readonly file: string | undefined;
  readonly transaction: boolean;
  /** Its `config.safe`: what is not looked for, and why. */
  readonly safe: Readonly<Record<string, string>> | undefined;
  readonly statements: readonly Unread[];
  /** Why it may send more than this, or why nothing of it is known. */
  readonly opaque?: string | undefined;
  /** It has been applied, as far as anybody knows: it is not judged, and what it has made is in use. */
  readonly stands?: true | undefined;
}

export interface LintRequest {
  readonly config: LintConfig;
  /** Asks the database; without it the text alone is judged, and findings say what could not be. */
  readonly query: Query | undefined;
  /** Default: `measured`. */
  readonly sizes?: Sizes | undefined;
  readonly steps: readonly LintStep[];
  /** `together`: one boot runs all of them, so that what one has made nobody uses before the last has ended. `apart`: any of them may be released alone. */
  readonly released: 'together' | 'apart';
  /** `all`: the migrations share one transaction, and what one has locked the next still holds. */
  readonly transaction: Config['transaction'];
}

/** What the lint says of one migration. */
export interface LintedStep {
  readonly name: string;
  readonly findings: readonly Finding[];
  /** Why code that is older cannot run on what it leaves; empty where it can. */
  readonly breaking: readonly string[];
  readonly statements: readonly ForeseenStatement[];
}

/** A statement with what it was foreseen to do to tables. */
export interface ForeseenStatement {
  /** As it is sent, with `$1` for values. */
  readonly text: string;
  readonly effects: readonly ForeseenEffect[];
}

/** What was found, and what it takes to go on judging while the migrations run. */
export interface Lint {
  readonly steps: readonly LintedStep[];
  readonly known: KnownFacts;
  readonly foreseen: readonly (ReadStep & { readonly linted: LintedStep })[];
}

/**
 * Judges migrations by their statements before any of them runs. Asks the database once, in one query, about all that they name; writes nothing.
 * Those before `lint.from` are taken as they are: they only tell what comes after.
 */
export async function lintSteps({ config, query, sizes, steps, released, transaction }: LintRequest): Promise<Lint> {
  const read = await Promise.all(steps.map(readStep));
  const known = new KnownFacts(query, sizes);
  await known.learn(read.flatMap(({ step }) => step.actions));
  const judge = new Judge({ config, known, released });
  const foreseen: Lint['foreseen'][number][] = [];
  for (const [index, each] of read.entries()) {
    if (transaction === 'each' || index === 0) judge.begin(each.step.transaction ? 'transaction' : 'none');
    const linted = await judgeStep(judge, each);
    const isPassedOver = steps[index]?.stands ?? isSpared(each.step, config);
    foreseen.push({ ...each, linted: isPassedOver ? { ...linted, findings: [] } : linted });
    judge.end(steps[index]?.stands && 'stands');
  }
  return { steps: foreseen.map(({ linted }) => linted), known, foreseen };
}

/** A migration with its statements parsed. */
export interface ReadStep {
  readonly step: JudgedStep;
  readonly statements: readonly Statement[];
}

async function readStep({ statements: unread, safe = {}, ...step }: LintStep): Promise<ReadStep> {
  const statements = apart((await Promise.all(unread.map(readStatements))).flat());
  return { step: { ...step, safe, actions: statements.flatMap(({ actions }) => actions) }, statements };
}

// What was sent as one message comes here in parts.
function apart(statements: readonly Statement[]): Statement[] {
  const counts = new Map<number, number>();
  for (const { message } of statements) counts.set(message, (counts.get(message) ?? 0) + 1);
  return statements.map((each) => ({ ...each, alone: counts.get(each.message) === 1 }));
}

async function judgeStep(judge: Judge, { step, statements }: ReadStep): Promise<LintedStep> {
  const verdicts: Verdict[] = [];
  for (const statement of statements) verdicts.push(await judge.judge(statement, step));
  return {
    name: step.name,
    findings: verdicts.flatMap(({ findings }) => findings),
    breaking: verdicts.flatMap(({ breaking }) => breaking),
    statements: statements.map(({ text }, index) => ({ text, effects: verdicts[index]?.effects ?? [] })),
  };
}

/** Older than what is to be judged. */
export function isSpared({ name }: Pick<JudgedStep, 'name'>, { lint: { from } }: LintConfig): boolean {
  return from !== undefined && migrationId(name) < migrationId(from);
}
