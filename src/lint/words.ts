import type { LintRule } from '../config/index.js';
import { blocksReads, blocksWrites, type LockMode } from '../lock-mode.js';
import { identifier, withoutLeadingComments } from '../sql.js';
import type { Name } from './actions/index.js';
import { unknownRows, type Relation } from './catalog/index.js';
import type { TableEffect, Work } from './effects/index.js';
import type { JudgedStep } from './rule.js';

/** `"orders"`, with its schema where that is not public. */
export function nameWords({ schema, name }: Pick<Relation, 'schema' | 'name'>): string {
  return schema === 'public' ? identifier(name) : `${identifier(schema)}.${identifier(name)}`;
}

/** `"orders" (41 GB, about 5,000,000 rows)`: the size where it is known. */
export function tableWords(relation: Relation): string {
  if (relation.state !== 'old' || relation.rows === unknownRows) return nameWords(relation);
  return `${nameWords(relation)} (${bytesWords(relation.bytes)}, about ${rowsWords(relation.rows)} rows)`;
}

/** `("a", "b")` */
export function columnsWords(columns: readonly string[]): string {
  return `(${columns.map((each) => identifier(each)).join(', ')})`;
}

const works = {
  scan: ['reads all of', 'under', 'the scan ends'],
  index: ['builds an index over', 'under', 'the build ends'],
  rewrite: ['writes all of', 'anew under', 'that ends'],
} as const;

/** `add check reads all of "orders" (41 GB, about 5,000,000 rows) under ACCESS EXCLUSIVE: every read and write of it waits until the scan ends`. */
export function workWords(what: string, work: keyof typeof works, { relation, mode }: Pick<TableEffect, 'relation' | 'mode'>): string {
  const [does, how, until] = works[work];
  return `${what} ${does} ${tableWords(relation)} ${how} ${mode}: ${waitWords(mode)} until ${until}`;
}

/** ``Do it in steps: `alter table ...;` `alter table ...;` ``. */
export function stepsWords(lead: string, statements: readonly string[]): string {
  return [`${lead}:`, ...statements.map((each) => `\`${each};\``)].join(' ');
}

/** Who waits for the lock: `every read and write of it waits`. */
export function waitWords(mode: LockMode, table = 'it'): string {
  if (blocksReads(mode)) return `every read and write of ${table} waits`;
  return blocksWrites(mode) ? `every write to ${table} waits` : `other changes of the schema of ${table} wait`;
}

/** How a migration is taken out of its transaction: `export const config = { transaction: false }`. */
export function outsideWords({ file }: Pick<JudgedStep, 'file'>): string {
  return file?.endsWith('.sql')
    ? 'make `-- transaction: false` the first line of the file'
    : 'export const config = { transaction: false }';
}

/** What is done to a table: `reads all of "orders"`. */
export function doingWords(work: Work, relation: Relation): string {
  const table = tableWords(relation);
  return {
    scan: `reads all of ${table}`,
    rewrite: `writes all of ${table} anew`,
    index: `builds an index over ${table}`,
    rows: `changes rows of ${table}`,
  }[work];
}

/** A statement by its first words: `alter table`, `create index concurrently`. */
export function commandWords(sql: string): string {
  const text = withoutLeadingComments(sql).toLowerCase();
  const [words = 'this'] =
    /^(create (unique )?(index( concurrently)?|table|materialized view|trigger|policy)|(alter|drop|lock) (table|index|materialized view)|\w+)/.exec(
      text.replace(/\s+/g, ' '),
    ) ?? [];
  return words;
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** As pg_size_pretty does, in powers of 1024. */
function bytesWords(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1024 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024)));
  const value = bytes / 1024 ** power;
  return `${value >= 10 || power === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[power]}`;
}

/** Two digits of what is an estimate: `5,000,000`. */
function rowsWords(rows: number): string {
  const digits = Math.max(0, Math.floor(Math.log10(Math.max(1, rows))) - 1);
  return (Math.round(rows / 10 ** digits) * 10 ** digits).toLocaleString('en-US');
}

/** For a key of a partitioned table, which cannot be made out of an index that is there. */
export const partitionedKeyWords =
  'Create a unique index ON ONLY the partitioned table, build one on each partition concurrently, and attach those to it.';
/** `"orders"."note"`. */
export function columnWords(relation: Relation, column: string): string {
  return `${nameWords(relation)}.${identifier(column)}`;
}

/** What makes it harmless to destroy something, and how to say that it is. */
export function unusedWords(rule: LintRule): string {
  return `say so: export const config = { safe: { '${rule}': 'no release uses it any more' } }`;
}

/** `"a", "b" and "c"`; the first few of many. */
export function listWords(items: readonly string[]): string {
  const shown = items.length > 6 ? [...items.slice(0, 5), `${items.length - 5} more`] : items;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** A type, a function by its name as it is written. */
export function typeWords({ schema, name }: Name): string {
  return schema === undefined ? identifier(name) : `${identifier(schema)}.${identifier(name)}`;
}
