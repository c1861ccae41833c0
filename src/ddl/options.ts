import { isObject, record, refuse, shown, text, within, type Place, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { qualified } from '../sql.js';

/** A table as it is written: it is quoted, so that upper case and dots mean themselves. Without a schema search_path decides. */
export type TableName = string | { readonly schema?: string; readonly table: string };

/** The readers of a function's options, and which of them must be given. */
export interface Form<Options> {
  readonly readers: { readonly [Key in keyof Options]-?: Reader<Options[Key]> };
  readonly needed: readonly (keyof Options & string)[];
}

/** The options as the function uses them; throws EM_DDL_INVALID with every problem at once. */
export function readOptions<Options extends object>(what: string, given: unknown, { readers, needed }: Form<Options>): Options {
  if (!isObject(given)) throw invalid(what, [`expected an object of ${Object.keys(readers).join(', ')}; got ${shown(given)}`]);
  const place: Place = { path: '', problems: [] };
  const options = record<Options>(readers)(given, place);
  const missing = needed.filter((key) => given[key] === undefined);
  const problems = [...place.problems, ...missing.map((key) => `${key}: is missing`)];
  if (problems.length > 0) throw invalid(what, problems);
  return options as Options;
}

export function invalid(what: string, problems: readonly string[]): MigrationError {
  return new MigrationError('EM_DDL_INVALID', [`${what} was called wrongly:`, ...problems.map((problem) => `- ${problem}`)].join('\n  '));
}

const mostBytes = 63;

/** The server cuts a longer name off, and then nobody finds the object again. */
export const name: Reader<string> = (value, place) => {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) return refuse(place, 'a name', shown(value));
  const bytes = Buffer.byteLength(value);
  return bytes <= mostBytes ? value : refuse(place, `a name of at most ${mostBytes} bytes`, `${bytes} bytes: ${shown(value)}`);
};

export const names: Reader<readonly string[]> = listOf(name, 'a list of names, at least one');

export const tableName: Reader<TableName> = (value, place) => {
  if (!isObject(value)) return name(value, place);
  const read = record<{ schema?: string; table: string }>({ schema: name, table: name })(value, place);
  if (value['table'] === undefined) return refuse(within(place, 'table'), 'a name', 'undefined');
  return read as TableName | undefined;
};

/** SQL of the migration's own. */
export const sql: Reader<string> = (value, place) => {
  if (typeof value !== 'string' || value.trim() === '') return text('', place);
  // It would arrive without the backslash, whatever stands before it: knex takes it for its own way to write a question mark.
  return value.includes('\\?') ? refuse(place, 'SQL that knex can send: [?] in place of \\? in a pattern', shown(value)) : value;
};

/** A reader of a list that is not empty, each item by the same reader. */
export function listOf<Item>(read: Reader<Item>, expected: string): Reader<readonly Item[]> {
  return (value, place) => {
    if (!Array.isArray(value) || value.length === 0) return refuse(place, expected, Array.isArray(value) ? 'an empty list' : shown(value));
    return value.flatMap((item, index) => read(item, within(place, String(index))) ?? []);
  };
}

/** The name in SQL, as the migration wrote it. */
export function sqlOf(table: TableName): string {
  return typeof table === 'string' ? qualified(undefined, table) : qualified(table.schema, table.table);
}

/** An expression in parentheses; a comment at its end does not swallow the last one. */
export function inParentheses(expression: string): string {
  return expression.includes('--') ? `(${expression}\n)` : `(${expression})`;
}
