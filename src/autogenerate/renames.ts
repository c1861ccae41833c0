import { MigrationError } from '../errors.js';
import { diffSchema, type Change, type Line, type Schema } from '../schema/index.js';
import { identifier } from '../sql.js';

/** A drop and an add of the same shape, which may be one object under two names. */
export interface Rename {
  readonly kind: 'table' | 'column';
  /** As the server writes it: `public.patients.email`. */
  readonly from: string;
  readonly to: string;
}

/** What may have been renamed between two schemas. Pure. */
export function findRenames(live: Schema, desired: Schema): Rename[] {
  const changes = diffSchema(live, desired);
  const pick = (action: Change['action'], kind: Change['kind']) => changes.filter((each) => each.action === action && each.kind === kind);
  const tables = pairs(pick('dropped', 'table'), pick('added', 'table')).filter(
    ({ from, to }) => shapeOf(live, from) === shapeOf(desired, to),
  );
  const columns = pairs(pick('dropped', 'column'), pick('added', 'column')).filter(
    ({ from, to }) => parentOf(from) === parentOf(to) && definitionOf(live, from) === definitionOf(desired, to),
  );
  return [...tables.map((pair): Rename => ({ kind: 'table', ...pair })), ...columns.map((pair): Rename => ({ kind: 'column', ...pair }))];
}

function pairs(dropped: readonly Change[], added: readonly Change[]): Pick<Rename, 'from' | 'to'>[] {
  return dropped.flatMap(({ identity: from }) => added.map(({ identity: to }) => ({ from, to })));
}

// The columns with their definitions; a default that counts on a sequence bears the table's name.
function shapeOf({ lines }: Schema, table: string): string {
  const columns = lines.filter(({ kind, parent }) => kind === 'column' && parent === table);
  const own = lastOf(table);
  const told = columns.map(({ identity, definition }) => `${identity.slice(table.length)} ${definition.replaceAll(own, '')}`);
  return columns.length === 0 ? `none of ${table}` : told.sort().join('\n');
}

function definitionOf({ lines }: Schema, column: string): string | undefined {
  return lines.find(({ kind, identity }) => kind === 'column' && identity === column)?.definition;
}

function parentOf(identity: string): string {
  return splitName(identity).slice(0, -1).join('.');
}

function lastOf(identity: string): string {
  return (splitName(identity).at(-1) ?? '').replaceAll('"', '');
}

function splitName(identity: string): string[] {
  return identity.match(/"(?:[^"]|"")+"|[^."]+/g) ?? [];
}

/**
 * The renames that words (`patients.email:mail`, `public.patients:clients`) choose. Throws EM_PLAN_REFUSED for a word that fits none, or more than
 * one, and for one that gives a name away again. Pure.
 */
export function chooseRenames(words: readonly string[], possible: readonly Rename[]): Rename[] {
  const chosen = new Map<Rename, string>();
  for (const word of words) {
    const rename = chooseRename(word, possible);
    const [, other] = [...chosen].find(([each]) => each !== rename && (each.from === rename.from || each.to === rename.to)) ?? [];
    if (other !== undefined) throw refused(`"${word}" contradicts "${other}"`, 'Give each name once.');
    chosen.set(rename, word);
  }
  return [...chosen.keys()];
}

function chooseRename(word: string, possible: readonly Rename[]): Rename {
  const [from = '', to = ''] = word.split(':');
  const [found, ...others] = possible.filter((rename) => isNamed(rename.from, from) && isNamed(rename.to, to));
  if (found !== undefined && others.length === 0) return found;
  const listed = possible.map((rename) => `${rename.from}:${lastOf(rename.to)}`).join(', ');
  const remedy = `Give what is dropped and what is added in the same shape${listed === '' ? '; here nothing is' : `: ${listed}`}.`;
  throw refused(`"${word}" names ${found === undefined ? 'no rename' : 'more than one rename'}`, remedy);
}

function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was written.` });
}

function isNamed(identity: string, word: string): boolean {
  const [full, short] = [splitName(identity), splitName(word)].map((parts) => parts.map((part) => part.replaceAll('"', '')).join('.'));
  return full === short || full?.endsWith(`.${short}`) === true;
}

/** Statements that rename, and those that take it back. */
export interface RenameStatements {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/** What renames an object, and what bears its name: `patients_pkey` goes with `patients`, where the model has it so. Pure. */
export function renderRenames(
  renames: readonly Rename[],
  { live, desired }: { readonly live: Schema; readonly desired: Schema },
): RenameStatements {
  const all = renames.flatMap((rename) => (rename.kind === 'column' ? [renderColumn(rename)] : renderTable(rename, live, desired)));
  return { up: all.map(([up]) => up), down: all.map(([, down]) => down).reverse() };
}

type Pair = readonly [up: string, down: string];

function renderColumn({ from, to }: Rename): Pair {
  const [table, old, now] = [parentOf(from), splitName(from).at(-1), splitName(to).at(-1)];
  return [`ALTER TABLE ${table} RENAME COLUMN ${old} TO ${now}`, `ALTER TABLE ${table} RENAME COLUMN ${now} TO ${old}`];
}

function renderTable({ from, to }: Rename, live: Schema, desired: Schema): Pair[] {
  const schema = parentOf(from);
  const [old, now] = [splitName(from).at(-1), splitName(to).at(-1)];
  const table: Pair = [`ALTER TABLE ${from} RENAME TO ${now}`, `ALTER TABLE ${schema}.${now} RENAME TO ${old}`];
  const taken = new Set(desired.lines.filter(({ parent }) => parent === to).map(({ kind, identity }) => `${kind} ${ownName(identity)}`));
  const parts = live.lines.filter(({ parent, kind }) => parent === from && ['constraint', 'index', 'sequence'].includes(kind));
  const renamed = parts.flatMap((line) => renderPart(line, { to, schema, taken, old: lastOf(from), now: lastOf(to) }));
  return [table, ...renamed];
}

interface Part {
  readonly to: string;
  readonly schema: string;
  readonly taken: ReadonlySet<string>;
  readonly old: string;
  readonly now: string;
}

function renderPart({ kind, identity }: Line, { to, schema, taken, old, now }: Part): Pair[] {
  const name = ownName(identity);
  const next = name.replace(old, now);
  if (next === name || !taken.has(`${kind} ${next}`)) return [];
  if (kind === 'constraint')
    return [
      [
        `ALTER TABLE ${to} RENAME CONSTRAINT ${identifier(name)} TO ${identifier(next)}`,
        `ALTER TABLE ${to} RENAME CONSTRAINT ${identifier(next)} TO ${identifier(name)}`,
      ],
    ];
  const what = kind === 'index' ? 'INDEX' : 'SEQUENCE';
  return [
    [
      `ALTER ${what} ${schema}.${identifier(name)} RENAME TO ${identifier(next)}`,
      `ALTER ${what} ${schema}.${identifier(next)} RENAME TO ${identifier(name)}`,
    ],
  ];
}

// `orders_pkey on public.orders`, or `public.orders_id_seq`.
function ownName(identity: string): string {
  return lastOf(identity.replace(/ on .*$/, ''));
}
