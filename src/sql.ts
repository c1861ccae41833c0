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

/** A value as a jsonb literal. */
export function jsonLiteral(value: unknown): string {
  return `${literal(JSON.stringify(value))}::jsonb`;
}

// A password, as a literal in CREATE/ALTER ROLE, in a connection string, or as a key=value pair of one.
const secrets: readonly [RegExp, string][] = [
  [/(\bpassword\s+)(e?'(?:[^'\\]|''|\\.)*'|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\3\$)/gi, "$1'***'"],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+(@)/gi, '$1***$2'],
  [/(\b(?:password|pwd|sslpassword)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;'"]+)/gi, '$1***'],
];

/** Masks passwords in a text: literals after PASSWORD, those inside connection strings, and the `known` ones wherever they stand. */
export function redact(text: string, known: readonly string[] = []): string {
  const masked = secrets.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
  return known.reduce((result, secret) => (secret === '' ? result : result.replaceAll(secret, '***')), masked);
}
