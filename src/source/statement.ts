import type { IndexStmt, Node, SelectStmt } from 'libpg-query';
import { resumableMark } from '../sql.js';
import { tryParseSql, type ParsedStatement } from './parser.js';

/** What the journal keeps of a statement, and what settles it when its outcome is unknown. */
export interface StatementSummary {
  /** Command words and names of objects in lower case; no values. */
  readonly summary: string;
  readonly kind: 'create-index-concurrently' | 'drop-index-concurrently' | 'resumable' | 'setting' | 'read' | 'begin' | 'other';
  /** Of the two concurrent kinds. The schema is missing where the statement names none: then search_path decides. */
  readonly index?: IndexName;
}

export interface IndexName {
  readonly schema?: string;
  readonly name: string;
  readonly table?: string;
}

/** Describes one statement for the journal without any of its values. Loads the parser; what it cannot read is `other`. */
export async function describeStatement(text: string): Promise<StatementSummary> {
  const statements = await tryParseSql(text);
  return statements ? describeParsed(statements) : { summary: commandWords(text), kind: 'other' };
}

/** The same for a text that has been parsed. Several statements in one text are `other`: they have no single outcome. */
export function describeParsed(statements: readonly ParsedStatement[]): StatementSummary {
  const [first, ...others] = statements;
  if (first === undefined) return { summary: 'nothing', kind: 'other' };
  const summary = summaryOf(first.text);
  if (others.length > 0) return { summary: `${summary} and ${others.length} more`, kind: 'other' };
  const classified = classify(first.node);
  const resumable = classified.kind === 'other' && first.text.endsWith(resumableMark);
  return { summary, ...(resumable ? { kind: 'resumable' } : classified) };
}

function classify(node: Node): Omit<StatementSummary, 'summary'> {
  if ('IndexStmt' in node && node.IndexStmt.concurrent) return classifyCreateIndex(node.IndexStmt);
  if ('DropStmt' in node && node.DropStmt.concurrent) return classifyDropIndex(node.DropStmt.objects ?? []);
  if ('VariableSetStmt' in node) return { kind: 'setting' };
  if ('VariableShowStmt' in node) return { kind: 'read' };
  if ('SelectStmt' in node && isCatalogRead(node.SelectStmt)) return { kind: 'read' };
  if ('ExplainStmt' in node && !isAnalyzed(node.ExplainStmt.options ?? [])) return { kind: 'read' };
  const control = 'TransactionStmt' in node ? node.TransactionStmt.kind : undefined;
  return { kind: control === 'TRANS_STMT_BEGIN' || control === 'TRANS_STMT_START' ? 'begin' : 'other' };
}

// Without a name in the statement the server makes one up, and which one is not known for sure.
function classifyCreateIndex({ idxname, relation }: IndexStmt): Omit<StatementSummary, 'summary'> {
  if (idxname === undefined) return { kind: 'other' };
  const { schemaname: schema, relname: table } = relation ?? {};
  const index = { ...(schema !== undefined && { schema }), name: idxname, ...(table !== undefined && { table }) };
  return { kind: 'create-index-concurrently', index };
}

function classifyDropIndex(objects: readonly Node[]): Omit<StatementSummary, 'summary'> {
  const [object] = objects;
  if (objects.length !== 1 || object === undefined || !('List' in object)) return { kind: 'other' }; // the server refuses several
  const parts = (object.List.items ?? []).flatMap((item) => ('String' in item && item.String.sval !== undefined ? [item.String.sval] : []));
  const [name, schema] = parts.reverse();
  if (name === undefined) return { kind: 'other' };
  return { kind: 'drop-index-concurrently', index: { ...(schema !== undefined && { schema }), name } };
}

/** Whether EXPLAIN with these options runs what it explains. `analyze false` is rare enough to be taken for true. */
export function isAnalyzed(options: readonly Node[]): boolean {
  return options.some((option) => 'DefElem' in option && option.DefElem.defname === 'analyze');
}

// Functions that only look. Any other may change something, also in a select on a catalog (pg_terminate_backend, lo_unlink).
const lookingFunction =
  /^(current_(schemas?|database|setting|user)|version|to_reg\w+|format_type|(obj|col)_description|pg_get_\w+|pg_partition_(tree|root|ancestors)|pg_\w+_is_visible|has_\w+_privilege|count|min|max|bool_(and|or)|(array|json|jsonb|string)_agg|array_(to_string|position|length|lower|upper)|unnest|generate_(series|subscripts)|lower|upper|length|quote_ident|quote_literal|row_number|concat|replace|substring|trim|btrim|split_part|regexp_replace)$/;

function isCatalogRead(select: SelectStmt): boolean {
  return everyNode(select, (kind, body) => {
    if (kind === 'RangeVar') return isCatalog(body as { schemaname?: string; relname?: string });
    if (kind === 'FuncCall') return isLookingCall((body as { funcname?: Node[] }).funcname ?? []);
    return kind !== 'intoClause' && kind !== 'lockingClause' && (kind === 'SelectStmt' || !kind.endsWith('Stmt'));
  });
}

// pg_catalog is searched first, so that an unqualified pg_class is the catalog.
function isCatalog({ schemaname, relname = '' }: { schemaname?: string; relname?: string }): boolean {
  return schemaname === undefined ? relname.startsWith('pg_') : schemaname === 'pg_catalog' || schemaname === 'information_schema';
}

/** Whether a function, by its name as the parser gives it, is known to only look. */
export function isLookingCall(funcname: readonly Node[]): boolean {
  const [name = '', schema = 'pg_catalog'] = funcname.map((part) => ('String' in part ? part.String.sval : undefined)).reverse();
  return schema === 'pg_catalog' && lookingFunction.test(name);
}

/** Whether the test holds for every node below; it is asked until it does not. */
export function everyNode(value: unknown, test: (kind: string, body: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((item) => everyNode(item, test));
  return Object.entries(value).every(([kind, body]) => test(kind, body) && everyNode(body, test));
}

// A word, a quoted name, or what joins them. A word before a quote or & begins a literal (E'', U&''), and U&"" is left out with it.
const token =
  /\s+|--[^\r\n]*|\/\*[\s\S]*?\*\/|(?<quoted>"(?:[^"]|"")*")|(?<word>[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)(?!['&\w$])|(?<sign>[.,*])/iy;
// After these come values, or what is compared with values. A value of SET may be a bare word.
const lastWord = /^(where|values|having|default|when|returning|like|ilike|similar|between)$/;

function summaryOf(text: string): string {
  const words: string[] = [];
  for (const { quoted, word, sign } of tokensOf(text)) {
    const next = quoted ?? word?.toLowerCase() ?? sign ?? '';
    if (lastWord.test(next) || (next === 'to' && words.includes('set'))) break;
    words.push(next);
  }
  const summary = words
    .join(' ')
    .replace(/ ?\. ?/g, '.')
    .replaceAll(' ,', ',');
  return summary.length > 120 ? `${summary.slice(0, 117)}...` : summary || 'a statement'; // select'x' has no word that stands alone
}

// Ends at the first thing that is neither a word nor a name: a literal, a parameter, an operator, a parenthesis.
function* tokensOf(text: string): Generator<{ quoted?: string; word?: string; sign?: string }> {
  const next = new RegExp(token);
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    if (found.groups !== undefined && Object.values(found.groups).some((group) => group !== undefined)) yield found.groups;
  }
}

const command =
  /^(alter|analyze|call|cluster|comment|commit|concurrently|copy|create|database|delete|do|drop|extension|function|grant|index|insert|into|lock|materialized|not|or|policy|reindex|refresh|replace|revoke|role|rollback|schema|select|sequence|set|system|table|trigger|truncate|type|unique|update|user|vacuum|view|with)$/;

// Of a text that cannot be parsed nothing is sure but its first words.
function commandWords(text: string): string {
  const words = [...tokensOf(text)].map(({ word }) => word?.toLowerCase() ?? '');
  const end = words.findIndex((word) => !command.test(word));
  return words.slice(0, end === -1 ? words.length : end).join(' ') || 'a statement that cannot be parsed';
}
