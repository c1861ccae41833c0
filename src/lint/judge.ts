import type { Config, LintSettings } from '../config/index.js';
import type { Finding, Place } from '../finding.js';
import { migrationId } from '../source/index.js';
import { redact } from '../sql.js';
import type { Action, ActionOf } from './actions/index.js';
import type { Catalog, KnownFacts, Relation } from './catalog/index.js';
import { breaksOldCode } from './compatibility/index.js';
import { effectsOf, type TableEffect } from './effects/index.js';
import { Past } from './past.js';
import type { Harm, JudgedStep, Judging, Rule, Statement, Write } from './rule.js';
import { rulesOn } from './rules/index.js';

// After these no lock of before is held.
const ends: ReadonlySet<ActionOf<'transaction'>['how']> = new Set(['begin', 'commit', 'rollback', 'prepare']);

/** Levels, and what is to be judged. */
export interface LintConfig {
  readonly rules: Config['rules'];
  readonly lint: LintSettings;
}

/** What was found of one statement. */
export interface Verdict {
  readonly findings: readonly Finding[];
  /** Why code older than this cannot run on what it leaves. */
  readonly breaking: readonly string[];
  /** What it was judged by. */
  readonly effects: readonly ForeseenEffect[];
}

/** A lock that a statement is foreseen to take on a table, and what is done while it is held. */
export interface ForeseenEffect extends Pick<TableEffect, 'mode' | 'work' | 'doubtful'> {
  readonly schema: string;
  readonly table: string;
  /** Whether it was there before. */
  readonly state: Relation['state'];
}

export interface JudgeOptions {
  readonly config: LintConfig;
  readonly known: KnownFacts;
  /** `together`: what an earlier migration has made nobody uses yet. `apart`: it may be in use. */
  readonly released: 'together' | 'apart';
}

/**
 * Judges statements in the order in which they run, and brings the catalog forward with each. Knows what the open transaction has done.
 */
export class Judge {
  private readonly past: Past;
  private inTransaction = false;
  private message: number | undefined;

  constructor(private readonly options: JudgeOptions) {
    this.past = new Past(options.known, options.released);
  }

  /** The catalogs that have to learn what is asked of the database later. */
  get catalogs(): readonly Catalog[] {
    return this.past.catalogs;
  }

  /** A transaction begins, with a migration or with the first of a set. */
  begin(kind: 'transaction' | 'none'): void {
    this.past.add('transaction');
    this.message = undefined;
    this.inTransaction = kind === 'transaction';
  }

  /** The migration has ended. `stands`: it was there before, and what it has made is in use. */
  end(stands?: 'stands'): void {
    this.past.add(stands ?? 'end');
  }

  /** Brings forward what actions change that are not judged. */
  advance(actions: readonly Action[]): void {
    for (const action of actions) this.past.add(action);
  }

  async judge(statement: Statement, step: JudgedStep): Promise<Verdict> {
    if (!this.inTransaction && statement.message !== this.message) this.past.add('transaction'); // what travels alone commits alone
    this.message = statement.message;
    const findings: Finding[] = [];
    const breaking: string[] = [];
    const effects: ForeseenEffect[] = [];
    for (const action of statement.actions) {
      const verdict = await this.judgeAction(action, statement, step);
      findings.push(...verdict.findings);
      breaking.push(...verdict.breaking);
      effects.push(...verdict.effects);
    }
    return { findings, breaking, effects };
  }

  private async judgeAction(action: Action, statement: Statement, step: JudgedStep): Promise<Verdict> {
    const { catalog, older, before } = this.past;
    const { config } = this.options;
    const effects = effectsOf(action, catalog);
    const at: Judging = { catalog, effects, statement, step, before, smallTableRows: config.lint.smallTableRows };
    const findings: Finding[] = [];
    for (const rule of rulesOn.get(action.kind) ?? []) findings.push(...(await this.ask(rule, action, at)));
    const foreseen = effects.map(asForeseen);
    const breaking = breaksOldCode(action, { ...at, catalog: older });
    if (action.kind === 'transaction' && ends.has(action.how)) {
      this.past.add('transaction');
      this.inTransaction = action.how === 'begin' || step.transaction;
    }
    this.past.add(action, effects);
    return { findings, breaking: breaking === undefined ? [] : [breaking], effects: foreseen };
  }

  private async ask(rule: Rule, action: Action, at: Judging): Promise<Finding[]> {
    const { level } = this.options.config.rules[rule.id];
    if (level === 'off' || Object.hasOwn(at.step.safe, rule.id)) return [];
    const found = rule.find(action, at) ?? [];
    const harms = (Array.isArray(found) ? found : [found]) as readonly Harm[];
    return await Promise.all(harms.filter((harm) => !this.isSpared(rule, harm, at)).map((harm) => this.describe(rule, harm, at)));
  }

  private isSpared({ id, spares }: Rule, { table }: Harm, { step }: Judging): boolean {
    const { rules, lint } = this.options.config;
    const names = [step.name, ...(table ? [table.name, `${table.schema}.${table.name}`] : [])].map(migrationId);
    if (rules[id].except.some((each) => names.includes(migrationId(each)))) return true;
    if (table === undefined || spares === 'none') return false;
    if (table.state === 'born' || table.state === 'absent') return true;
    return spares === 'small' && table.state === 'old' && table.rows < lint.smallTableRows;
  }

  private async describe({ id }: Rule, { message, remedy, unless }: Harm, { statement, step, catalog }: Judging): Promise<Finding> {
    const doubt = unless !== undefined && !catalog.connected;
    return {
      code: id,
      level: doubt ? 'info' : (this.options.config.rules[id].level as Finding['level']),
      message: redact(doubt ? `not judged without a database: ${message}, unless ${unless}` : message),
      remedy: redact(typeof remedy === 'string' ? remedy : remedy(await loadWriter())),
      at: placeOf(step, statement),
    };
  }
}

// A relation is brought forward with each action: what is told of it is how it was.
function asForeseen({ relation: { schema, name, state }, mode, work, doubtful }: TableEffect): ForeseenEffect {
  return { schema, table: name, state, mode, work, doubtful };
}

function placeOf({ name, file }: JudgedStep, { place }: Statement): Place {
  const line = place === undefined ? undefined : /:(\d+)$/.exec(place)?.[1];
  return { migration: name, ...(file !== undefined && { file }), ...(line !== undefined && { line: Number(line) }) };
}

// 1 MB of JavaScript that only a finding needs, and only the first: import() asks the loader each time.
let writer: Promise<Write> | undefined;

async function loadWriter(): Promise<Write> {
  writer ??= import('pgsql-deparser').then(
    ({ Deparser }) =>
      (node) =>
        Deparser.deparse(node, { pretty: false }).replace(/\s*\n\s*/g, ' '),
  );
  return await writer;
}
