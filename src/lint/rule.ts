import type { Node } from 'libpg-query';
import type { LintRule } from '../config/index.js';
import type { Action, ActionOf } from './actions/index.js';
import type { Before } from './before.js';
import type { Catalog, Relation } from './catalog/index.js';
import type { TableEffect } from './effects/index.js';

/** A statement as it is judged. */
export interface Statement {
  /** With its values as literals, where they are known. */
  readonly sql: string;
  /** As it is sent, with `$1` for values. */
  readonly text: string;
  /** Undefined for what the parser cannot read. */
  readonly node: Node | undefined;
  readonly actions: readonly Action[];
  /** String constants in which knex has put a placeholder, as they are sent. */
  readonly misplaced: readonly string[];
  /** Names that the server cuts off, as they are meant. */
  readonly tooLong: readonly string[];
  /** `file:line`. */
  readonly place: string | undefined;
  /** Statements of one number travel as one message. */
  readonly message: number;
  /** Whether its message is this statement and no other: several in one share a transaction. */
  readonly alone: boolean;
}

/** A migration whose statements are judged. */
export interface JudgedStep {
  readonly name: string;
  readonly file: string | undefined;
  readonly transaction: boolean;
  /** Its `config.safe`. */
  readonly safe: Readonly<Record<string, string>>;
  /** Why more than `actions` may come of it. */
  readonly opaque?: string | undefined;
  /** All that it does, as far as it was foreseen. */
  readonly actions: readonly Action[];
}

/** Where an action stands when a rule looks at it. */
export interface Judging {
  /** The database as the action will find it. */
  readonly catalog: Catalog;
  readonly effects: readonly TableEffect[];
  readonly statement: Statement;
  readonly step: JudgedStep;
  /** What its transaction has done before: it holds those locks. */
  readonly before: Before;
  /** From how many rows on a table is large. */
  readonly smallTableRows: number;
}

/** Prints a tree as SQL. */
export type Write = (node: Node) => string;

export interface Harm {
  /** Names the harm: lock, table with its size, who is blocked. */
  readonly message: string;
  /** An imperative, with the reader's own statement made safe; `write` prints a tree as SQL. */
  readonly remedy: string | ((write: Write) => string);
  /** The table that is harmed: its size and its birth may spare it, and `except` names it. */
  readonly table?: Relation;
  /** What only a database could tell: there is no harm if this is so. Without a database the finding says that it was not judged. */
  readonly unless?: string | undefined;
}

/** One danger. Pure. */
export interface Rule<Kind extends Action['kind'] = Action['kind']> {
  readonly id: LintRule;
  readonly on: readonly Kind[];
  /** Which tables the danger is none for: those that what is linted has made, those and `small` ones, or `none`. */
  readonly spares: 'born' | 'small' | 'none';
  find(action: ActionOf<Kind>, at: Judging): Harm | readonly Harm[] | undefined;
}

/** A rule whose `find` knows the kinds of its actions. */
export function defineRule<Kind extends Action['kind']>(rule: Rule<Kind>): Rule {
  return rule;
}
