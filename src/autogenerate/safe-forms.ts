import type { Line } from '../schema/index.js';
import { identifier } from '../sql.js';
import { unquoted } from './column.js';
import type { Change } from './differ.js';
import { name, path, plain } from './written.js';

const names = String.raw`${name}(?:, ${name})*`;
const addsConstraint = new RegExp(String.raw`^ALTER TABLE (${path}) ADD CONSTRAINT (${name}) (?:CHECK|FOREIGN KEY)\b`);
const addsKey = new RegExp(
  String.raw`^ALTER TABLE (${path}) ADD CONSTRAINT (${name}) (UNIQUE|PRIMARY KEY)( NULLS NOT DISTINCT)? \((${names})\)( INCLUDE \(${names}\))?((?: (?:NOT )?DEFERRABLE)?(?: INITIALLY \w+)?)$`,
);
const references = new RegExp(String.raw`^ALTER TABLE (${path}) .*FOREIGN KEY .* REFERENCES (${path})`, 's');
const dropsConstraint = new RegExp(String.raw`^ALTER TABLE (${path}) DROP CONSTRAINT (${name})$`);
const setsNotNull = new RegExp(String.raw`^ALTER TABLE (${path}) ALTER COLUMN (${name}) SET NOT NULL$`);
const addsRequired = new RegExp(String.raw`^ALTER TABLE (${path}) ADD COLUMN (${name}) (.+) NOT NULL$`, 's');
const addsIdentity = new RegExp(String.raw`^ALTER TABLE (${path}) ALTER COLUMN (${name}) ADD GENERATED\b`);

/** What may run later than the rest, in this order, and how a change comes apart into it. */
export type Phase = 'main' | 'require' | 'after' | 'validate';

export interface Part {
  readonly change: Change;
  /** `prove`: validates what `require` rests on. */
  readonly phase: Phase | 'prove';
}

export interface Ground {
  /** Whether a table is there, with rows of its own. */
  readonly isStanding: (table: string) => boolean;
  readonly live: readonly Line[];
  readonly all: readonly Change[];
}

/**
 * A change in the parts of which none reads or writes a table under a lock for which others wait: a constraint is added NOT VALID and validated later,
 * an index of a key is built concurrently first, NOT NULL rests on a CHECK that is validated. Of a change that has no such form it is the whole. Pure.
 */
export function safeParts(change: Change, ground: Ground): Part[] {
  const whole: Part = { change, phase: isLateKey(change, ground) ? 'after' : 'main' };
  return notNull(change, ground) ?? required(change, ground) ?? key(change, ground) ?? constraint(whole, ground) ?? [whole];
}

function main(change: Change): Part {
  return { change, phase: 'main' };
}

function constraint({ change, phase }: Part, { isStanding }: Ground): Part[] | undefined {
  const [, table = '', own = ''] = addsConstraint.exec(change.sql) ?? [];
  if (table === '' || !isStanding(table) || / (?:NOT VALID|NO INHERIT)$/.test(change.sql)) return undefined;
  return [
    { change: { ...change, sql: `${change.sql} NOT VALID` }, phase },
    { change: following(change, `ALTER TABLE ${table} VALIDATE CONSTRAINT ${own}`), phase: 'validate' },
  ];
}

// A foreign key is added when its index is there. The differ does not say that it needs the key of the other table, too.
function isLateKey({ sql }: Change, ground: Ground): boolean {
  const [, table = '', target] = references.exec(sql) ?? [];
  const isLate = (each: Change) => plain(addsKey.exec(each.sql)?.[1] ?? '') === plain(target ?? '') && key(each, ground) !== undefined;
  return target !== undefined && (ground.isStanding(table) || ground.all.some(isLate));
}

// Where a key of the same name is dropped the two stay in one transaction: in between nothing would keep the rows apart.
function key(change: Change, { isStanding, all }: Ground): Part[] | undefined {
  const [, table = '', own = '', kind = '', nulls = '', columns = '', include = '', deferred = ''] = addsKey.exec(change.sql) ?? [];
  if (table === '' || !isStanding(table) || drops(all, table, own)) return undefined;
  const build = `CREATE UNIQUE INDEX CONCURRENTLY ${own} ON ${table} USING btree (${columns})${include}${nulls}`;
  const attach = `ALTER TABLE ${table} ADD CONSTRAINT ${own} ${kind} USING INDEX ${own}${deferred}`;
  return [main({ ...change, sql: build, outside: true }), { change: following(change, attach), phase: 'after' }];
}

function drops(all: readonly Change[], table: string, own: string): boolean {
  return all.some(({ sql }) => {
    const [, of, dropped] = dropsConstraint.exec(sql) ?? [];
    return of !== undefined && plain(of) === plain(table) && plain(dropped ?? '') === plain(own);
  });
}

function notNull(change: Change, ground: Ground): Part[] | undefined {
  const [, table = '', column = ''] = setsNotNull.exec(change.sql) ?? [];
  return provable(table, column, ground) ? proof(change, { table, column }) : undefined;
}

// Its rows have no value: whoever fills them does that between the two.
function required(change: Change, ground: Ground): Part[] | undefined {
  const [, table = '', column = '', type = ''] = addsRequired.exec(change.sql) ?? [];
  if (/\b(?:DEFAULT|GENERATED)\b/.test(type) || !provable(table, column, ground)) return undefined;
  const add = { ...change, sql: `ALTER TABLE ${table} ADD COLUMN ${column} ${type}` };
  return [main(add), ...proof(following(change, ''), { table, column, filled: 'by hand' })];
}

// An identity needs the column to be NOT NULL in the same breath.
function provable(table: string, column: string, { isStanding, live, all }: Ground): boolean {
  if (table === '' || !isStanding(table)) return false;
  const own = proofOf(column);
  const isTaken = live.some(({ kind, identity }) => kind === 'constraint' && plain(identity) === `${own} on ${plain(table)}`);
  const isIdentity = all.some(({ sql }) => {
    const [, of, to] = addsIdentity.exec(sql) ?? [];
    return of === table && to === column;
  });
  return !isTaken && !isIdentity && Buffer.byteLength(own) <= 63;
}

// Not a name that the server would choose for the NOT NULL itself (PostgreSQL 18).
function proofOf(column: string): string {
  return `${unquoted(column)}_is_not_null`;
}

function proof(change: Change, { table, column, filled }: { table: string; column: string; filled?: 'by hand' }): Part[] {
  const own = identifier(proofOf(column));
  const alter = `ALTER TABLE ${table}`;
  const validate = following(change, `${alter} VALIDATE CONSTRAINT ${own}`);
  return [
    main({ ...change, sql: `${alter} ADD CONSTRAINT ${own} CHECK (${column} IS NOT NULL) NOT VALID`, makes: [] }),
    { change: filled ? { ...validate, toFill: plain(`${table}.${column}`) } : validate, phase: 'prove' },
    { change: { ...change, sql: `${alter} ALTER COLUMN ${column} SET NOT NULL` }, phase: 'require' },
    { change: following(change, `${alter} DROP CONSTRAINT ${own}`), phase: 'require' },
  ];
}

function following(change: Change, sql: string): Change {
  return { ...change, sql, makes: [], needs: change.makes };
}
