import { literal } from '../sql.js';
import { renderShape, temporarySql } from './catalogs.js';
import type { Contents } from './contents.js';
import type { Link } from './link.js';

/** How a database is, in one answer. */
export interface Condition {
  /** Of all objects, rights and settings; see {@link renderShape}. */
  readonly shape: readonly string[];
  /** The places, in `Contents`, of tables that hold a row. */
  readonly full: readonly number[];
  /** Of the tables that hold rows in the template, then of the views: how many, and a hash. */
  readonly rows: readonly string[];
  readonly sequences: readonly string[];
  readonly leaks: readonly Leak[];
}

/** What a test has left open: a session that is at work or holds a lock, or a prepared transaction. */
export interface Leak {
  readonly pid: number | null;
  readonly state: string;
  readonly query: string;
  readonly application: string;
  /** The name of a prepared transaction. */
  readonly gid: string | null;
}

export const leaksSql = `(select coalesce(json_agg(l), '[]') from (
    select pid, state, query, application_name as application, null as gid from pg_catalog.pg_stat_activity
    where datname = pg_catalog.current_database() and pid <> pg_catalog.pg_backend_pid() and backend_type = 'client backend'
      and (state <> 'idle' or pid in (select pid from pg_catalog.pg_locks where locktype = 'advisory'))
    union all select null, 'prepared', '', '', gid from pg_catalog.pg_prepared_xacts where database = pg_catalog.current_database()) l)`;

/** The one statement that tells how a database with these contents is. */
export function renderDetect({ tables, sequences, views }: Contents, superuser: boolean): string {
  const empty = tables.flatMap(({ name, rows }, place) => (rows === 'none' ? [`(${place}, exists (select from only ${name}))`] : []));
  const filled = tables.filter(({ rows }) => rows !== 'none').map(({ name }) => `only ${name}`);
  const texts = (parts: readonly string[]) => (parts.length === 0 ? `'{}'::text[]` : `array[${parts.join(',\n')}]`);
  return `with ${temporarySql} select ${renderShape(superuser)} as shape,
    ${empty.length === 0 ? `'{}'::int[]` : `array(select place from (values ${empty.join(',')}) v (place, isFull) where isFull)`} as full,
    ${texts([...filled, ...views].map(renderRows))} as rows,
    ${texts(sequences.map((name) => `(select pg_catalog.concat_ws(' ', last_value, is_called) from ${name})`))} as sequences,
    ${leaksSql} as leaks`;
}

function renderRows(from: string): string {
  return `(select pg_catalog.concat_ws(' ', count(*), sum(pg_catalog.hashtextextended((em_row.*)::text, 0))) from ${from} em_row)`;
}

/** Asks it; prepared once for each connection. Throws what the server says: a table may be gone, or locked. */
export async function detect(link: Link, statement: string): Promise<Condition> {
  const [condition] = await link.ask<Condition>('em_detect', statement);
  if (condition === undefined) throw new TypeError('no answer to a question that always has one');
  return condition;
}

/** Says whether no object, right or setting differs. */
export function isSameShape(a: Condition, b: Condition): boolean {
  return a.shape.length === b.shape.length && a.shape.every((text, place) => text === b.shape[place]);
}

/** What rows and sequences have to be put back. Pure. */
export interface Damage {
  readonly tables: readonly number[];
  readonly sequences: readonly number[];
  readonly views: readonly number[];
}

/** Compares a condition with that of the fresh copy. Pure. */
export function damageOf({ tables }: Contents, fresh: Condition, now: Condition): Damage {
  const differing = (a: readonly string[], b: readonly string[]) => b.flatMap((text, place) => (text === a[place] ? [] : [place]));
  const filled = tables.flatMap(({ rows }, place) => (rows === 'none' ? [] : [place]));
  const changed = differing(fresh.rows, now.rows);
  return {
    tables: [...now.full, ...changed.flatMap((each) => filled[each] ?? [])],
    views: changed.filter((each) => each >= filled.length).map((each) => each - filled.length),
    sequences: differing(fresh.sequences, now.sequences),
  };
}

/** Says whether there is nothing to put back. */
export function isWhole({ tables, sequences, views }: Damage): boolean {
  return tables.length + sequences.length + views.length === 0;
}

/** A setval() for a sequence as it was. */
export function renderSetval(name: string, state: string): string {
  const [value = '', called] = state.split(' ');
  return `select pg_catalog.setval(${literal(name)}::regclass, ${value}, ${called === 't'});`;
}
