import type { Node, ParseResult, SqlError } from 'libpg-query';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';

type Parser = typeof import('libpg-query');

/** One statement of a text: as PostgreSQL's own parser sees it, and where it stands. */
export interface ParsedStatement {
  readonly node: Node;
  /** Without the semicolon, and without the comments before it. */
  readonly text: string;
  /** Characters (code points, as the server counts positions) of the whole text before it. */
  readonly offset: number;
}

let parser: Promise<Parser> | undefined;

/** Loads the parser, once: about 70 ms. Throws EM_PARSER_MISSING. */
export async function loadParser(): Promise<Parser> {
  return await (parser ??= importParser());
}

// In a bundle the grammar is a file of its own, and may have been left behind. Nothing runs unjudged for that.
async function importParser(): Promise<Parser> {
  try {
    const loaded = await import('libpg-query');
    await loaded.loadModule();
    return loaded;
  } catch (cause) {
    throw new MigrationError('EM_PARSER_MISSING', `the SQL parser cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

/** Parses a text by PostgreSQL's own grammar (version 18). Loads the parser on first use. Throws the parser's SqlError, and EM_PARSER_MISSING. */
export async function parseSql(text: string): Promise<ParsedStatement[]> {
  if (text.trim() === '') return []; // the parser refuses to parse nothing
  const { parse } = await loadParser();
  return statementsOf(text, await parse(text));
}

/** The same; what is beyond the grammar is undefined. Throws EM_PARSER_MISSING. */
export async function tryParseSql(text: string): Promise<ParsedStatement[] | undefined> {
  return await parseSql(text).catch(unlessMissing);
}

/** Parses a DO block, or a CREATE FUNCTION, of PL/pgSQL; what is beyond its grammar is undefined. Throws EM_PARSER_MISSING. */
export async function tryParsePlPgSql(text: string): Promise<unknown> {
  const { parsePlPgSQL } = await loadParser();
  return await parsePlPgSQL(text).catch(unlessMissing);
}

function unlessMissing(error: unknown): undefined {
  if (isMigrationError(error)) throw error;
}

/** A parameter of a text, `$1`, and where it stands, in bytes of UTF-8. */
export interface Parameter {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** Finds the parameters of a text by PostgreSQL's own scanner: not those in literals, comments and dollar quotes. */
export async function scanSql(text: string): Promise<Parameter[]> {
  const { scan } = await loadParser();
  const { tokens } = await scan(text);
  return tokens
    .filter(({ tokenName }) => tokenName === 'PARAM')
    .map(({ text: token, start, end }) => ({ number: Number(token.slice(1)), start, end }));
}

/** What a text consists of, as far as somebody asks. */
export interface Tokens {
  /** The numbers of its parameters. */
  readonly parameters: readonly number[];
  /** String constants as they are written, with their quotes; also dollar-quoted ones. */
  readonly literals: readonly string[];
  /** Names as they are meant: without quotes, folded where there are none; not cut off. */
  readonly names: readonly string[];
}

/** Splits a text by PostgreSQL's own scanner. Throws what it cannot scan. */
export async function readTokens(text: string): Promise<Tokens> {
  const { scan } = await loadParser();
  const { tokens } = await scan(text);
  const of = (kind: string) => tokens.filter(({ tokenName }) => tokenName === kind).map((token) => token.text);
  return { parameters: of('PARAM').map((each) => Number(each.slice(1))), literals: of('SCONST'), names: of('IDENT').map(nameIn) };
}

function nameIn(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase();
}

/** Where the parser's error stands in the text: 1-based, in characters, as the server counts. */
export function errorPosition(error: unknown): number | undefined {
  const position = (error as Partial<SqlError>).sqlDetails?.cursorPosition;
  return position === undefined || position < 0 ? undefined : position + 1;
}

// The parser counts in bytes of UTF-8.
function statementsOf(text: string, { stmts = [] }: ParseResult): ParsedStatement[] {
  const bytes = Buffer.from(text);
  let seen = { byte: 0, offset: 0 };
  return stmts.flatMap(({ stmt, stmt_location: start = 0, stmt_len: length }) => {
    if (stmt === undefined) return [];
    seen = { byte: start, offset: seen.offset + countCharacters(bytes.subarray(seen.byte, start)) };
    const end = length === undefined ? bytes.length : start + length;
    return [{ node: stmt, text: bytes.toString('utf8', start, end).trimEnd(), offset: seen.offset }];
  });
}

// Each character has one byte that is not a continuation (10xxxxxx).
function countCharacters(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => ((byte & 0xc0) === 0x80 ? count : count + 1), 0);
}
