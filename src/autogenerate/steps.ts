import type { Line } from '../schema/index.js';
import { cutByTable, tablesOf } from './cuts.js';
import type { Change } from './differ.js';
import { safeParts, type Part } from './safe-forms.js';
import { name, path, plain } from './written.js';

/** The statements of one migration: what may share a transaction, or the one that may not be in any. */
export interface Group {
  readonly changes: readonly Change[];
  readonly transaction: boolean;
  /** What it is, for its name: `build orders_customer`. Undefined for the main one. */
  readonly what: string | undefined;
  /** The statements that take it back, where they are known; none where that is the affair of the migrations before it. */
  readonly down: 'computed' | readonly string[];
}

/**
 * Divides changes by the locks that they take: indexes of tables that are there are dropped first and built after the rest, concurrently and each by
 * itself; then comes what rests on them, or on a validated check; what is left to validate comes at the very end, each in a transaction of its own. Pure.
 */
export function divide(changes: readonly Change[], { live, tables }: Dividing): Group[] {
  const place = { made: madeTables(changes), partitioned: partitionedTables(live), live };
  const isStanding = (table: string) => !place.made.has(plain(table)) && !place.partitioned.has(plain(table));
  const cut = (each: readonly Change[]) => (tables === 'apart' ? cutByTable(each, place.made) : [[...each]]);
  const all = changes.map((change) => withoutNeed(change, place));
  const parts = all.flatMap((change) => safeParts(change, { isStanding, live, all }));
  const of = (phase: Part['phase']) => parts.flatMap((part) => (part.phase === phase ? [part.change] : []));
  const [drops, rest] = split(of('main'), ({ sql }) => dropsConcurrently.test(sql));
  const [builds, after, main] = divideLate(rest, of('after'));
  return [
    ...drops.map((change) => drop(change, live)),
    ...inTransactions(main, cut),
    ...builds.map(build),
    ...of('prove').map(validation),
    ...byTable(of('require')),
    ...inTransactions([...of('after'), ...after], cut).map((group) => ({ ...group, what: group.what ?? aboutOf(group.changes) })),
    ...of('validate').map(validation),
  ];
}

interface Dividing {
  readonly live: readonly Line[];
  /** Whether a migration may lock several tables that are there. */
  readonly tables: 'apart' | 'together';
}

interface Place {
  /** `public.orders`, unquoted. */
  readonly made: ReadonlySet<string>;
  readonly partitioned: ReadonlySet<string>;
  readonly live: readonly Line[];
}

function madeTables(changes: readonly Change[]): ReadonlySet<string> {
  const ids = changes.flatMap(({ makes }) => makes).map((text) => JSON.parse(text) as { kind: string; schema?: string; name?: string });
  return new Set(ids.filter(({ kind }) => kind === 'table' || kind === 'materializedView').map(({ schema, name }) => `${schema}.${name}`));
}

function partitionedTables(live: readonly Line[]): ReadonlySet<string> {
  return new Set(live.filter(({ kind }) => kind === 'partitioned table').map(({ identity }) => plain(identity)));
}

const buildsIndex = new RegExp(String.raw`^CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?(${name}) ON (?:ONLY )?(${path})`);
const dropsIndex = new RegExp(String.raw`^DROP INDEX (${name})\.(${name})$`);
const requires = new RegExp(String.raw`^ALTER TABLE (${path}) (?:ALTER COLUMN (${name}) SET NOT NULL)?`);
const dropsConcurrently = new RegExp(String.raw`^DROP INDEX CONCURRENTLY (${name})\.(${name})$`);

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
  const of = indexOf(live, { schema: plain(schema), index: plain(index) })?.parent;
  if (of === undefined || partitioned.has(plain(of))) return change;
  return { ...change, sql: change.sql.replace('DROP INDEX ', 'DROP INDEX CONCURRENTLY '), outside: true };
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter((each) => isFirst(each)), all.filter((each) => !isFirst(each))];
}

// What needs an index that is built late, or what comes last, comes after it.
function divideLate(changes: readonly Change[], last: readonly Change[]): [builds: Change[], after: Change[], main: Change[]] {
  const made = new Set(last.flatMap(({ makes }) => makes));
  const [late, main]: [Change[], Change[]] = [[], []];
  for (const change of changes) {
    const isLate = change.outside || change.needs.some((need) => made.has(need));
    if (isLate) change.makes.forEach((each) => made.add(each));
    (isLate ? late : main).push(change);
  }
  return [...split(late, (change) => change.outside), main];
}

// SET NOT NULL and the end of the check that has proved it, for each table.
function byTable(changes: readonly Change[]): Group[] {
  const tableOf = ({ sql }: Change) => requires.exec(sql)?.[1] ?? '';
  return [...new Set(changes.map(tableOf))].map((table) => {
    const own = changes.filter((change) => tableOf(change) === table);
    const columns = own.flatMap(({ sql }) => requires.exec(sql)?.[2] ?? []).map(plain);
    return { changes: own, transaction: true, what: `set ${columns.join(', ')} not null`, down: 'computed' };
  });
}

function inTransactions(changes: readonly Change[], cut: (changes: readonly Change[]) => Change[][]): Group[] {
  const groups: Change[][] = [[]];
  for (const change of changes) {
    groups.at(-1)?.push(change);
    if (change.commits) groups.push([]);
  }
  return groups.flatMap(cut).flatMap((group, index) => {
    const what = index === 0 ? undefined : aboutOf(group);
    return group.length === 0 ? [] : [{ changes: group, transaction: true, what, down: 'computed' }];
  });
}

function aboutOf(changes: readonly Change[]): string | undefined {
  const tables = tablesOf(changes);
  return tables.length === 0 ? undefined : `change ${tables.join(', ')}`;
}

function build(change: Change): Group {
  const [, , index = '', table = ''] = buildsIndex.exec(change.sql) ?? [];
  const schema = new RegExp(`^(${name})\\.`).exec(table)?.[1] ?? '';
  const down = [`DROP INDEX CONCURRENTLY ${schema}.${index}`];
  return { changes: [change], transaction: false, what: plain(`build ${index}`), down };
}

function drop(change: Change, live: readonly Line[]): Group {
  const [, schema = '', index = ''] = dropsConcurrently.exec(change.sql) ?? [];
  const definition = plainDefinition(live, { schema: plain(schema), index: plain(index) });
  const down = definition === undefined ? 'computed' : [definition.replace(/^CREATE (UNIQUE )?INDEX /, 'CREATE $1INDEX CONCURRENTLY ')];
  return { changes: [change], transaction: false, what: plain(`drop ${index}`), down };
}

// Undefined for one that is more than CREATE INDEX says: in a tablespace, with a comment.
function plainDefinition(live: readonly Line[], { schema, index }: { schema: string; index: string }): string | undefined {
  const line = indexOf(live, { schema, index });
  const isMore = / (?:invalid|clustered|replica identity|tablespace \S+|statistics \S+)$/.test(line?.definition ?? '');
  const isCommented = live.some(({ kind, identity }) => kind === 'comment' && plain(identity).startsWith(`index ${index} on ${schema}.`));
  return isMore || isCommented ? undefined : line?.definition;
}

function indexOf(live: readonly Line[], { schema, index }: { schema: string; index: string }): Line | undefined {
  return live.find(({ kind, identity }) => kind === 'index' && plain(identity).startsWith(`${index} on ${schema}.`));
}

function validation(change: Change): Group {
  const constraint = /VALIDATE CONSTRAINT (.+)$/.exec(change.sql)?.[1] ?? '';
  return { changes: [change], transaction: true, what: `validate ${plain(constraint)}`, down: [] };
}
