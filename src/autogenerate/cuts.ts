import type { Change } from './differ.js';
import { name, path } from './written.js';

const locks = [
  String.raw`^(?:ALTER|DROP) (?:FOREIGN TABLE|TABLE|MATERIALIZED VIEW) (${path})`,
  String.raw`^(?:CREATE|DROP) (?:TRIGGER|POLICY|RULE) .*? (?:ON|TO) (${path})`,
  String.raw`^CREATE (?:UNIQUE )?INDEX ${name} ON (${path})`,
  String.raw`^ALTER TABLE .* REFERENCES (${path})`,
  String.raw`^CREATE .*TABLE .* PARTITION OF (${path})`,
].map((text) => new RegExp(text, 's'));
const readsTables = /^(?:CREATE MATERIALIZED VIEW|ALTER DOMAIN .* (?:ADD CONSTRAINT|SET NOT NULL)) ?/s;
const alone = new RegExp(String.raw`^ALTER TABLE (${path}) (?:ADD COLUMN |ADD CONSTRAINT ${name} CHECK )`);

interface Cut {
  readonly changes: Change[];
  /** Tables that are there, and locked from here on. */
  readonly tables: Set<string>;
}

/**
 * Cuts changes where one would lock a second table while the first is locked, or read one in full: each piece becomes a migration. What does not
 * depend on anything in between goes to the piece of its table. Pure.
 */
export function cutByTable(changes: readonly Change[], made: ReadonlySet<string>): Change[][] {
  const cuts: Cut[] = [{ changes: [], tables: new Set() }];
  for (const change of changes) {
    const tables = lockedBy(change).filter((table) => !made.has(table));
    const place = earlierPlace(change, { cuts, tables }) ?? lastPlace(change, { cuts, tables });
    place.changes.push(change);
    for (const table of tables) place.tables.add(table);
  }
  return cuts.map((cut) => cut.changes).filter((each) => each.length > 0);
}

function lockedBy({ sql }: Pick<Change, 'sql'>): string[] {
  return [...new Set(locks.flatMap((lock) => lock.exec(sql)?.[1]?.replaceAll('"', '') ?? []))];
}

interface Placing {
  readonly cuts: Cut[];
  readonly tables: readonly string[];
}

function lastPlace({ sql }: Change, { cuts, tables }: Placing): Cut {
  const last = cuts.at(-1) as Cut;
  const isHeld = tables.every((table) => last.tables.has(table)) && !readsTables.test(sql);
  if (last.tables.size === 0 || isHeld) return last;
  const next = { changes: [], tables: new Set<string>() };
  cuts.push(next);
  return next;
}

function earlierPlace(change: Change, { cuts, tables: [table = ''] }: Placing): Cut | undefined {
  const index = cuts.findLastIndex(({ tables }) => tables.has(table));
  if (index < 0 || !alone.test(change.sql)) return undefined;
  const between = new Set(cuts.slice(index + 1).flatMap((cut) => cut.changes.flatMap(({ makes }) => makes)));
  return change.needs.some((need) => between.has(need)) ? undefined : cuts[index];
}

/** What a piece but the first is about, for its name. */
export function tablesOf(changes: readonly Pick<Change, 'sql'>[]): string[] {
  return [...new Set(changes.flatMap(lockedBy))].map((table) => table.split('.').at(-1) ?? '');
}
