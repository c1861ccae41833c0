import type { Finding, Place } from './finding.js';
import type { ForeseenEffect, ForeseenStatement } from './lint/index.js';
import { isStronger, type LockMode } from './lock-mode.js';
import { excerptOf, redact } from './sql.js';
import type { TracedStatement } from './trace/index.js';

export interface AgreementRequest {
  /** What the lint foresaw of one migration. */
  readonly foreseen: readonly ForeseenStatement[];
  /** What its statements did in a copy of the schema. */
  readonly traced: readonly TracedStatement[];
  readonly at: Place;
}

/**
 * Holds what the lint foresaw against what the server did. What was done and not foreseen is a warning; what was foreseen and not done is
 * worth knowing. Statements that failed, and those of which it is not known what they lock, are passed over. Pure.
 */
export function compareWithTrace({ foreseen, traced, at }: AgreementRequest): Finding[] {
  const findings: Finding[] = [];
  let next = 0;
  for (const statement of traced) {
    const index = foreseen.findIndex(({ text }, position) => position >= next && redact(text) === statement.sql);
    const effects = index < 0 ? [] : (foreseen[index]?.effects ?? []);
    if (index >= 0) next = index + 1;
    if (statement.error !== undefined || statement.locksFrom === 'unknown') continue;
    findings.push(...compareStatement({ effects, statement, at: placeOf(statement, at) }));
  }
  return findings;
}

interface Compared {
  readonly effects: readonly ForeseenEffect[];
  readonly statement: TracedStatement;
  readonly at: Place;
}

function compareStatement({ effects, statement, at }: Compared): Finding[] {
  const told = (what: readonly string[], level: Finding['level'], how: string): Finding[] => {
    const message = `\`${excerptOf(statement.sql)}\` ${how}: ${what.join(', ')}`;
    const remedy = 'Go by the trace: it is what the server did. Look at `plan --trace` for all of it.';
    return what.length === 0 ? [] : [{ code: 'trace-differs', level, message, remedy, at }];
  };
  return [
    ...told(unforeseen(effects, statement), 'warn', 'did in a copy of the schema what was not foreseen'),
    ...told(unseen(effects, statement), 'info', 'did not do in a copy of the schema what was foreseen'),
  ];
}

// What does not block writes is the planner's choice as often as not, and harms nobody.
const harmless: LockMode = 'ROW EXCLUSIVE';

function unforeseen(effects: readonly ForeseenEffect[], { locks, held, rewritten, scanned, indexesBuilt }: TracedStatement): string[] {
  const workOn = (table: string) => effects.filter((effect) => nameOf(effect) === plain(table)).map(({ work }) => work);
  const modeOn = (table: string) => strongest(effects.filter((effect) => nameOf(effect) === plain(table)));
  const isHeld = (table: string) => held.some((lock) => lock.table === table && isStronger(lock.mode, harmless));
  const builds = effects.some(({ work }) => work === 'index' || work === 'rewrite');
  return [
    ...locks
      .filter(({ table, mode, index }) => index === undefined && isStronger(mode, harmless) && isStronger(mode, modeOn(table)))
      .map(({ table, mode }) => `takes ${mode} on ${table}`),
    ...rewritten.filter((table) => !workOn(table).includes('rewrite')).map((table) => `rewrites ${table}`),
    ...scanned
      .filter((table) => isHeld(table) && workOn(table).every((work) => work === undefined || work === 'rows'))
      .map((table) => `scans ${table}`),
    ...(builds || rewritten.length > 0 ? [] : indexesBuilt.map((index) => `builds ${index}`)),
  ];
}

function unseen(effects: readonly ForeseenEffect[], statement: TracedStatement): string[] {
  const { held, rewritten, scanned, indexesBuilt, locksFrom } = statement;
  if (locksFrom !== 'server') return [];
  const certain = effects.filter(({ state, doubtful }) => state === 'old' && !doubtful);
  const isIn = (tables: readonly string[], effect: ForeseenEffect) => tables.some((table) => plain(table) === nameOf(effect));
  return certain.flatMap((effect) => {
    const name = nameOf(effect);
    const mode = held.find(({ table, index }) => index === undefined && plain(table) === name)?.mode;
    const isRewritten = isIn(rewritten, effect);
    const isScanned = isRewritten || isIn(scanned, effect);
    return [
      ...(isStronger(effect.mode, harmless) && isStronger(effect.mode, mode) ? [`take ${effect.mode} on ${name}`] : []),
      ...(effect.work === 'rewrite' && !isRewritten ? [`rewrite ${name}`] : []),
      ...(effect.work === 'scan' && !isScanned ? [`scan ${name}`] : []),
      ...(effect.work === 'index' && indexesBuilt.length === 0 ? [`build an index on ${name}`] : []),
    ];
  });
}

function strongest(effects: readonly ForeseenEffect[]): LockMode | undefined {
  return effects.reduce<LockMode | undefined>((found, { mode }) => (isStronger(mode, found) ? mode : found), undefined);
}

function nameOf({ schema, table }: ForeseenEffect): string {
  return plain(`${schema}.${table}`);
}

// The trace quotes what must be quoted.
function plain(name: string): string {
  return name.replaceAll('"', '');
}

function placeOf({ place }: TracedStatement, at: Place): Place {
  const line = place === undefined ? undefined : /:(\d+)$/.exec(place)?.[1];
  return line === undefined ? at : { ...at, line: Number(line) };
}
