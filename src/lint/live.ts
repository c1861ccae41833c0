import type { Config } from '../config/index.js';
import type { Finding } from '../finding.js';
import type { Action } from './actions/index.js';
import type { KnownFacts } from './catalog/index.js';
import { Judge, type LintConfig } from './judge.js';
import { isSpared, type LintedStep, type ReadStep } from './lint.js';
import { readStatements } from './statement.js';

export interface LiveLintOptions {
  readonly config: LintConfig;
  readonly transaction: Config['transaction'];
  readonly known: KnownFacts;
  /** As they were captured, and what was said of them. */
  readonly foreseen: readonly (ReadStep & { readonly linted: LintedStep })[];
}

/**
 * Judges each statement of a run by the same rules when it is about to be sent, and so also what a capture could not see. Keeps what each
 * migration really did, for the journal. Used by one run, for one statement at a time.
 */
export class LiveLint {
  private judge: Judge;
  private done: Done[] = [];
  private current: Done | undefined;

  constructor(private readonly options: LiveLintOptions) {
    this.judge = new Judge({ ...options, released: 'together' });
  }

  /** A migration begins; one that was begun before is tried again, and what came of it and after it is forgotten. */
  enter(name: string): void {
    const index = this.done.findIndex((each) => each.name === name);
    if (index >= 0) this.goBack(index);
    const { step } = this.foreseenOf(name);
    if (this.options.transaction === 'each' || this.done.length === 0) this.judge.begin(step.transaction ? 'transaction' : 'none');
    this.current = { name, actions: [], breaking: [] };
    this.done.push(this.current);
  }

  /** It sends nothing of its own any more. */
  leave(): void {
    this.current = undefined;
    this.judge.end();
  }

  /** What the rules have against a statement that is about to be sent; nothing outside a migration's own code. */
  async look(text: string): Promise<readonly Finding[]> {
    const { current } = this;
    if (!current) return [];
    const findings: Finding[] = [];
    const { step, linted } = this.foreseenOf(current.name);
    for (const statement of await readStatements({ sql: text, text, place: undefined, message: current.actions.length })) {
      await this.options.known.learn(statement.actions, this.judge.catalogs);
      const verdict = await this.judge.judge(statement, step);
      findings.push(...verdict.findings);
      current.actions.push(...statement.actions);
      current.breaking.push(...verdict.breaking);
    }
    return isSpared(step, this.options.config)
      ? []
      : findings.filter((finding) => !linted.findings.some((known) => isSame(known, finding)));
  }

  /** A script goes as one message: it does what was foreseen. */
  pass(): void {
    const { current } = this;
    if (!current) return;
    const { step, linted } = this.foreseenOf(current.name);
    this.judge.advance(step.actions);
    current.actions.push(...step.actions);
    current.breaking.push(...linted.breaking);
    if (step.opaque !== undefined) current.breaking.push(`nobody knows what it does: ${step.opaque}`);
  }

  /** Why code older than the migration cannot run on what it has done. */
  breakingOf(name: string): readonly string[] {
    return this.done.find((each) => each.name === name)?.breaking ?? [];
  }

  private foreseenOf(name: string) {
    return this.options.foreseen.find(({ step }) => step.name === name) as LiveLintOptions['foreseen'][number];
  }

  private goBack(to: number): void {
    this.done = this.done.slice(0, to);
    this.judge = new Judge({ ...this.options, released: 'together' });
    for (const { actions } of this.done) {
      this.judge.advance(actions);
      this.judge.end();
    }
  }
}

interface Done {
  readonly name: string;
  readonly actions: Action[];
  readonly breaking: string[];
}

// What was said before the run is not said again. The place is not known any more when a statement is sent.
function isSame(a: Finding, b: Finding): boolean {
  return a.code === b.code && a.message === b.message;
}
