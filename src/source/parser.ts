import type { Node, ParseResult, SqlError } from 'libpg-query';

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

/** Parses a text by PostgreSQL's own grammar (version 18). Loads the parser on first use: about 70 ms. Throws the parser's SqlError. */
export async function parseSql(text: string): Promise<ParsedStatement[]> {
  if (text.trim() === '') return []; // the parser refuses to parse nothing
  const { parse } = await (parser ??= import('libpg-query'));
  return statementsOf(text, await parse(text));
}

/** A parameter of a text, `$1`, and where it stands, in bytes of UTF-8. */
export interface Parameter {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** Finds the parameters of a text by PostgreSQL's own scanner: not those in literals, comments and dollar quotes. */
export async function scanSql(text: string): Promise<Parameter[]> {
  const { scan } = await (parser ??= import('libpg-query'));
  const { tokens } = await scan(text);
  return tokens
    .filter(({ tokenName }) => tokenName === 'PARAM')
    .map(({ text: token, start, end }) => ({ number: Number(token.slice(1)), start, end }));
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
