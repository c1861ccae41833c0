import type { Line } from '../schema/index.js';
import type { Change } from './differ.js';

/** The statements of one migration: what may share a transaction, or the one that may not be in any. */
export interface Group {
  readonly changes: readonly Change[];
  readonly transaction: boolean;
  /** What it is, for its name: `build orders_customer`. Undefined for the main one. */
  readonly what: string | undefined;
  /** `nothing`: to take it back is the affair of the migrations before it. */
  readonly down: 'computed' | 'nothing';
}

/**
 * Divides changes by the locks that they take: indexes of tables that are there are dropped first and built last, concurrently and each by itself;
 * constraints are added without a look at the rows, and validated at the very end, each in a transaction of its own. Pure.
 */
export function divide(changes: readonly Change[], live: readonly Line[]): Group[] {
  const place = { made: madeTables(changes), partitioned: partitionedTables(live), live };
  const all = changes.map((change) => withoutNeed(change, place)).flatMap((change) => unvalidated(change, place));
  const [validations, others] = split(all, ({ sql }) => isValidation.test(sql));
  const [drops, rest] = split(others, ({ sql }) => isConcurrentDrop.test(sql));
  const [late, main] = divideLate(rest);
  return [...drops.map((change) => alone(change)), ...inTransactions(main), ...late.flatMap((run) => run), ...validations.map(validation)];
}

interface Place {
  /** `public.orders`, unquoted. */
  readonly made: ReadonlySet<string>;
  readonly partitioned: ReadonlySet<string>;
  readonly live: readonly Line[];
}

function madeTables(changes: readonly Change[]): ReadonlySet<string> {
  const ids = changes.flatMap(({ makes }) => makes).map((text) => JSON.parse(text) as { kind: string; schema?: string; name?: string });
  return new Set(ids.filter(({ kind }) => kind === 'table').map(({ schema, name }) => `${schema}.${name}`));
}

function partitionedTables(live: readonly Line[]): ReadonlySet<string> {
  return new Set(live.filter(({ kind }) => kind === 'partitioned table').map(({ identity }) => plain(identity)));
}

function plain(name: string): string {
  return name.replaceAll('"', '');
}

const name = String.raw`(?:"(?:[^"]|"")+"|[\w$]+)`;
const path = String.raw`${name}\.${name}`;
const buildsIndex = new RegExp(String.raw`^CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?(${name}) ON (?:ONLY )?(${path})`);
const dropsIndex = new RegExp(String.raw`^DROP INDEX (${name})\.(${name})$`);
const addsConstraint = new RegExp(String.raw`^ALTER TABLE (${path}) ADD CONSTRAINT (${name}) (CHECK|FOREIGN KEY)\b`);
const isValidation = /^ALTER TABLE \S+ VALIDATE CONSTRAINT /;
const isConcurrentDrop = /^DROP INDEX CONCURRENTLY /;

// On a table that nobody has seen yet nothing blocks; of a partitioned one an index cannot be built concurrently, and ON ONLY would leave it invalid.
function withoutNeed(change: Change, { made, partitioned, live }: Place): Change {
  const [, , , table] = buildsIndex.exec(change.sql) ?? [];
  if (table !== undefined) {
    const sql = change.sql.replace(' ON ONLY ', ' ON ');
    if (!made.has(plain(table)) && !partitioned.has(plain(table))) return { ...change, sql };
    return { ...change, sql: sql.replace(' CONCURRENTLY ', ' '), outside: false };
  }
  const [, schema = '', index] = dropsIndex.exec(change.sql) ?? [];
  if (index === undefined) return change;
  const of = live.find(
    ({ kind, identity }) => kind === 'index' && plain(identity).startsWith(`${plain(index)} on ${plain(schema)}.`),
  )?.parent;
  if (of === undefined || partitioned.has(plain(of))) return change;
  return { ...change, sql: change.sql.replace('DROP INDEX ', 'DROP INDEX CONCURRENTLY '), outside: true };
}

function unvalidated(change: Change, { made, partitioned }: Place): Change[] {
  const [, table = '', constraint = ''] = addsConstraint.exec(change.sql) ?? [];
  if (table === '' || made.has(plain(table)) || partitioned.has(plain(table)) || change.sql.endsWith(' NOT VALID')) return [change];
  if (/ NO INHERIT$/.test(change.sql)) return [change];
  const validate = { ...change, sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint}`, makes: [], needs: change.makes };
  return [{ ...change, sql: `${change.sql} NOT VALID` }, validate];
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter((each) => isFirst(each)), all.filter((each) => !isFirst(each))];
}

// What needs an index that is built late comes after it.
function divideLate(changes: readonly Change[]): [Group[][], Change[]] {
  const made = new Set<string>();
  const [late, main]: [Change[], Change[]] = [[], []];
  for (const change of changes) {
    const isLate = change.outside || change.needs.some((need) => made.has(need));
    if (isLate) change.makes.forEach((each) => made.add(each));
    (isLate ? late : main).push(change);
  }
  const [outside, after] = split(late, (change) => change.outside);
  return [[outside.map((change) => alone(change)), inTransactions(after)], main];
}

function inTransactions(changes: readonly Change[]): Group[] {
  const groups: Change[][] = [[]];
  for (const change of changes) {
    groups.at(-1)?.push(change);
    if (change.commits) groups.push([]);
  }
  return groups
    .filter((group) => group.length > 0)
    .map((group) => ({ changes: group, transaction: true, what: undefined, down: 'computed' }));
}

function alone(change: Change): Group {
  const built = buildsIndex.exec(change.sql)?.[2];
  const what = built === undefined ? `drop ${/\.("?[^"]+"?)$/.exec(change.sql)?.[1] ?? 'index'}` : `build ${built}`;
  return { changes: [change], transaction: false, what: plain(what), down: 'computed' };
}

function validation(change: Change): Group {
  const constraint = /VALIDATE CONSTRAINT (.+)$/.exec(change.sql)?.[1] ?? '';
  return { changes: [change], transaction: true, what: `validate ${plain(constraint)}`, down: 'nothing' };
}
