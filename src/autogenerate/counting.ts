import type { Line } from '../schema/index.js';
import { literal } from '../sql.js';
import { unquoted } from './column.js';
import type { Change } from './differ.js';
import { name, path, plain } from './written.js';

const makesIdentity = new RegExp(
  String.raw`^ALTER TABLE (${path}) ALTER COLUMN (${name}) ADD GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY\b`,
);
const takesNext = new RegExp(String.raw`^ALTER TABLE (${path}) ALTER COLUMN (${name}) SET DEFAULT nextval\('((?:[^']|'')+)'::regclass\)$`);
const makesSequence = new RegExp(String.raw`^CREATE SEQUENCE (${path})`);

/**
 * Lets a new counter of a column that is there go on after the highest value that stands in it: it would begin at 1, and the next insert take an id
 * that is taken, which no scratch database shows. `lines` know the columns that are whole numbers. Pure.
 */
export function keepCounting(changes: readonly Change[], lines: readonly Line[]): Change[] {
  return changes.flatMap((change) => {
    const counter = identityOf(change) ?? sequenceOf(change, changes);
    if (counter === undefined || !isWhole(counter, lines) || /INCREMENT BY -/.test(counter.options)) return [change];
    return [change, following(change, goOn(counter))];
  });
}

interface Counter {
  readonly table: string;
  readonly column: string;
  /** An expression for its sequence. */
  readonly sequence: string;
  readonly options: string;
}

function identityOf({ sql }: Change): Counter | undefined {
  const [, table, column] = makesIdentity.exec(sql) ?? [];
  if (table === undefined || column === undefined) return undefined;
  const sequence = `pg_catalog.pg_get_serial_sequence(${literal(table)}, ${literal(unquoted(column))})`;
  return { table, column, sequence, options: sql };
}

// Of a sequence that is there the counter stands where it did.
function sequenceOf({ sql }: Change, changes: readonly Change[]): Counter | undefined {
  const [, table, column, written] = takesNext.exec(sql) ?? [];
  if (table === undefined || column === undefined) return undefined;
  const made = changes.find((each) => plain(makesSequence.exec(each.sql)?.[1] ?? '') === plain(written ?? ''));
  const [, sequence] = makesSequence.exec(made?.sql ?? '') ?? [];
  return made && sequence !== undefined ? { table, column, sequence: literal(sequence), options: made.sql } : undefined;
}

function isWhole({ table, column }: Counter, lines: readonly Line[]): boolean {
  const isSame = ({ kind, identity }: Line) => kind === 'column' && plain(identity) === plain(`${table}.${column}`);
  return lines.some((line) => isSame(line) && /^(?:smallint|integer|bigint)\b/.test(line.definition));
}

// A table without rows, or with lower ones, leaves it where it starts; and it never goes back, where two columns take from it.
function goOn({ table, column, sequence, options }: Counter): string {
  const [, start = '1'] = /START WITH (-?\d+)/.exec(options) ?? [];
  const reached = `greatest(${start}, pg_catalog.pg_sequence_last_value(${sequence}))`; // null before the first
  return `SELECT pg_catalog.setval(${sequence}, max(${column})::bigint) FROM ${table} HAVING max(${column}) >= ${reached}`;
}

function following(change: Change, sql: string): Change {
  return { ...change, sql, makes: [], destroys: [], needs: [...change.needs, ...change.makes] };
}
