/** Quotes an identifier. The one place where names become SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A table name with its schema where one is known, each part quoted. */
export function qualified(schema: string | undefined, name: string): string {
  return schema === undefined ? identifier(name) : `${identifier(schema)}.${identifier(name)}`;
}

/**
 * Writes a value as a literal, for messages in which several statements travel as one text and parameters cannot.
 * Backslashes force the E'' form, so the result means the same whatever standard_conforming_strings says.
 */
export function literal(value: string | number | boolean | null): string {
  if (value === null) return 'null';
  if (typeof value !== 'string') return String(value);
  if (value.includes('\0')) throw new TypeError('a PostgreSQL string cannot hold a zero byte');
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/**
 * Stands at the end of a statement whose sender looks into the catalog first, and leaves out what is done already. A migration outside a
 * transaction that stopped half-way is run again by itself when nothing else of it may have changed something (see apply/settle.ts).
 */
export const resumableMark = '/* ensure-migrated: resumable */';

/** A value as a jsonb literal. */
export function jsonLiteral(value: unknown): string {
  return `${literal(JSON.stringify(value))}::jsonb`;
}

// A password as a literal of CREATE/ALTER ROLE. Inside another literal its quotes are doubled, and stay so.
const passwordLiteral = /(\bpassword\s+)(?:e?('{2,})(?!')[\s\S]+?\2|e?'(?:[^'\\]|''|\\.)*'|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\3\$)/gi;

// In a connection string, or as a key=value pair of one. The bounds keep the time linear on long texts without a space.
const secrets: readonly [RegExp, string][] = [
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/@]*:)[^\s@]{1,4000}(?:@[^\s/@?]+)*(@)/gi, '$1***$2'],
  [/(\b(?:password|pwd|sslpassword)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;'"]+)/gi, '$1***'],
];

// PASSWORD %L of a format(), or PASSWORD ' || ...: which of the literals that follow is the secret is not known, so all of them may be.
const composed = /(\bpassword\s+(?:%[^';\n]{0,200}'+|'+\s*\|\|))([^;\n]*)/gi;

/** Masks passwords in a text: literals after PASSWORD, those inside connection strings, and the `known` ones wherever they stand. */
export function redact(text: string, known: readonly string[] = []): string {
  const plain = text.replace(composed, (_, before: string, rest: string) => before + rest.replace(/'(?:[^']|'')*'/g, "'***'"));
  const unquoted = plain.replace(
    passwordLiteral,
    (_, before: string, quotes: string | undefined = "'") => `${before}${quotes}***${quotes}`,
  );
  const masked = secrets.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), unquoted);
  return known.reduce((result, secret) => (secret === '' ? result : result.replaceAll(secret, '***')), masked);
}

const space = /\s+|--[^\n]*|\/\*[^]*?\*\//y;

/** A statement from its first word on: without the whitespace and the comments before it. */
export function withoutLeadingComments(text: string): string {
  space.lastIndex = 0;
  let start = 0;
  while (space.test(text)) start = space.lastIndex; // one pattern for all of them would try every way to split a row of comments
  return text.slice(start);
}

const excerptLength = 120;

/**
 * The beginning of a statement without its values, for people: literals are masked. A statement that begins with a comment of ours
 * (see {@link labelled}) is known by that.
 */
export function excerptOf(text: string): string {
  const label = /^\/\* (.*?) \*\//s.exec(text)?.[1];
  if (label !== undefined) return label;
  const masked = redact(text.slice(0, 2_000))
    .replace(/'(?:[^']|'')*(?:'|$)/g, "'...'")
    .replace(/\$(\w*)\$[\s\S]*?(?:\$\1\$|$)/g, '$$...$$');
  return masked.replace(/\s+/g, ' ').trim().slice(0, excerptLength);
}

/** Puts in front what pg_stat_activity should show of a message whose own beginning says little: the server keeps only its first kilobyte. */
export function labelled(what: string, message: string): string {
  return `/* ${excerptOf(what).replaceAll(/\*\/|\/\*/g, ' ')} */ ${message}`;
}
