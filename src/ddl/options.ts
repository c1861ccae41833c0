import { isObject, record, refuse, shown, text, type Place, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';

export { listOf, name, names, sqlOf, tableName, type TableName } from '../table-name.js';

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

/** SQL of the migration's own. */
export const sql: Reader<string> = (value, place) => {
  if (typeof value !== 'string' || value.trim() === '') return text('', place);
  // It would arrive without the backslash, whatever stands before it: knex takes it for its own way to write a question mark.
  return value.includes('\\?') ? refuse(place, 'SQL that knex can send: [?] in place of \\? in a pattern', shown(value)) : value;
};

/** An expression in parentheses; a comment at its end does not swallow the last one. */
export function inParentheses(expression: string): string {
  return expression.includes('--') ? `(${expression}\n)` : `(${expression})`;
}
