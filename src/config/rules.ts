import type { Level } from '../finding.js';
import { lintRuleTable } from './lint-rules.js';
import { isObject, kindOf, oneOf, record, refuse, refuseUnknownKeys, shown, texts, within, type Place } from './values.js';

interface RuleRow {
  readonly level: Level;
  readonly sentence: string;
  /** Not to be softened: going on would be a guess. */
  readonly fixed?: true;
}

/** Every rule, with its default level. */
export const ruleTable = {
  'history-pending': {
    level: 'error',
    sentence: 'Migrations are not applied yet. What the mode verify says of it; apply applies them, and wait waits until they are.',
  },
  'history-ahead': {
    level: 'error',
    sentence: 'The database has newer migrations than this code; passes when each of them is marked compatible.',
  },
  'history-missing': { level: 'error', sentence: 'An applied migration is not in the code, and newer ones are.' },
  'history-half-squashed': {
    level: 'error',
    fixed: true,
    sentence: 'Of what a squash replaces a part is applied here, and the files of the rest are gone.',
  },
  'history-edited': { level: 'error', sentence: 'The file of an applied migration has changed since.' },
  'history-unfinished': {
    level: 'error',
    fixed: true,
    sentence: 'A migration that is not transactional stopped half-way and needs a decision.',
  },
  'history-unsettled': {
    level: 'error',
    sentence: 'A run is at work, died, or failed. What the modes wait and verify say of it; the mode apply settles it.',
  },
  'history-unmanaged': { level: 'error', sentence: 'The schema has tables and no history; `baseline` adopts it.' },
  'history-out-of-order': { level: 'warn', sentence: 'A pending migration sorts before one that is applied.' },
  'history-duplicate': { level: 'warn', sentence: 'A migration stands in the history twice.' },
  'schema-drift': { level: 'warn', sentence: 'The schema differs from what the migrations made.' },
  'server-version': { level: 'error', sentence: 'The server is too old.' },
  'server-settings': { level: 'warn', sentence: 'A setting of the server takes a protection away.' },
  'not-writable': { level: 'error', sentence: 'The server is a standby or read-only.' },
  'role-privileges': { level: 'error', sentence: 'The role lacks a right that the boot needs.' },
  pooler: { level: 'warn', sentence: 'The connection goes through a pooler.' },
  blockers: { level: 'warn', sentence: 'Old or prepared transactions would block a migration.' },
  'invalid-index': { level: 'warn', sentence: 'An index is invalid.' },
  'free-connections': { level: 'warn', sentence: 'The server has few free connections left.' },
  'extension-unavailable': { level: 'error', sentence: 'An extension that a migration requires is not available on the server.' },
  'backfill-unknown': { level: 'error', sentence: 'A migration requires a backfill that nobody has enqueued, and nobody will before it.' },
  'backfill-unfinished': {
    level: 'error',
    sentence: 'A migration requires a backfill that is not done, and that this run cannot do first.',
  },
  'backfill-changed': {
    level: 'warn',
    sentence: 'The definition of a backfill has changed before it was done: this code leaves it alone.',
  },
  'search-path-ambiguous': { level: 'error', sentence: 'More than one history table is visible on the search_path.' },
  identity: { level: 'error', sentence: 'The database is not the one that `expect` names.' },
  'source-knex-invisible': { level: 'warn', sentence: "A migration has an extension that knex's command line does not see." },
  'migration-no-down': { level: 'warn', sentence: 'A pending migration has no `down`.' },
  'sql-transaction-control': { level: 'error', sentence: 'A transactional .sql migration begins or ends a transaction.' },
  'sql-non-transactional': {
    level: 'error',
    sentence: 'A transactional .sql migration has a statement that PostgreSQL refuses inside a transaction.',
  },
  'verify-invalid-index': { level: 'error', sentence: 'The run has left an index invalid.' },
  'verify-unvalidated-constraint': { level: 'warn', sentence: 'The run has added a constraint that is not validated yet.' },
  ...lintRuleTable,
} as const satisfies Record<string, RuleRow>;

/** The name of a rule: docs/options.md has all of them. */
export type Rule = keyof typeof ruleTable;

const ruleNames = Object.keys(ruleTable) as Rule[];

/** How one rule is treated. */
export interface RuleSetting {
  readonly level: Level;
  /** The migrations, tables, or whatever else the rule names, that it passes over. */
  readonly except: readonly string[];
}

/** How one rule is treated, as it is given: a level, also with exceptions. */
export type RuleInput =
  | Level
  | {
      readonly level: Level;
      /** The migrations, tables, or whatever else the rule names, that it passes over. */
      readonly except?: readonly string[] | undefined;
    };

/** A level for each rule; the others keep their default. */
export type RulesInput = { readonly [Name in Rule]?: RuleInput | undefined };

/** Reads the levels of rules; the others keep their default. */
export function readRules(value: unknown, place: Place): Readonly<Record<Rule, RuleSetting>> | undefined {
  if (!isObject(value)) return refuse(place, 'an object of rules and levels', kindOf(value));
  refuseUnknownKeys(value, ruleNames, place);
  const settings = ruleNames.map((name) => [name, readRule(name, value[name], within(place, name))] as const);
  return Object.freeze(Object.fromEntries(settings)) as Record<Rule, RuleSetting>;
}

const readLevel = oneOf('error', 'warn', 'info', 'off');
const readSetting = record<RuleSetting>({ level: readLevel, except: texts });

function readRule(name: Rule, value: unknown, place: Place): RuleSetting {
  const row: RuleRow = ruleTable[name];
  const { level = row.level, except = Object.freeze([]) } = readGiven(value, place);
  const isSofter = level !== 'error' || except.length > 0;
  if (row.fixed && isSofter) refuse(place, '"error" without exceptions, since going on would be a guess', shown(value));
  return Object.freeze({ level, except });
}

function readGiven(value: unknown, place: Place): Partial<RuleSetting> {
  if (value === undefined) return {};
  if (isObject(value)) return readSetting(value, place) ?? {};
  const level = readLevel(value, place);
  return level === undefined ? {} : { level };
}
