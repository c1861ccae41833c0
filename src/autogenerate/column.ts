/** A column as a call on knex's table builder. */
export interface BuiltColumn {
  readonly column: string;
  readonly type: string;
  /** `text('email').notNullable()` */
  readonly call: string;
  /** Its default is the next value of a sequence. */
  readonly counts: boolean;
}

const definition =
  /^"((?:[^"]|"")+)" ([a-z][a-z0-9_ ]*(?:\(\d+(?:,\d+)?\))?(?:[a-z ]*)(?:\[\])*)( NOT NULL)?(?: DEFAULT (.+?))?( NOT NULL)?$/s;

/** Undefined for a column that the builder does not say naturally: generated, of an identity, with a collation. Pure. */
export function columnOf(text: string): BuiltColumn | undefined {
  const [, column, type, before, value, after] = definition.exec(text) ?? [];
  if (column === undefined || type === undefined) return undefined;
  const counts = value?.startsWith('nextval(') ?? false;
  const required = before || after ? '.notNullable()' : '';
  const preset = value === undefined ? '' : `.defaultTo(${defaultOf(value)})`;
  return { column, type, counts, call: `${typeCall(column.replaceAll('""', '"'), type)}${required}${preset}` };
}

const calls: Readonly<Record<string, string>> = {
  text: 'text',
  bigint: 'bigInteger',
  integer: 'integer',
  smallint: 'smallint',
  boolean: 'boolean',
  real: 'float',
  'double precision': 'double',
  date: 'date',
  json: 'json',
  jsonb: 'jsonb',
  uuid: 'uuid',
  bytea: 'binary',
  'timestamp with time zone': 'timestamp',
};

function typeCall(column: string, type: string): string {
  const own = calls[type];
  if (own !== undefined) return `${own}(${quote(column, 'text')})`;
  const [, length] = /^character varying\((\d+)\)$/.exec(type) ?? [];
  if (length !== undefined) return `string(${quote(column, 'text')}, ${length})`;
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined) return `decimal(${quote(column, 'text')}, ${precision}, ${scale})`;
  return `specificType(${quote(column, 'text')}, ${quote(type, 'text')})`;
}

function defaultOf(value: string): string {
  if (/^(?:-?\d+|true|false)$/.test(value)) return value;
  if (value === 'CURRENT_TIMESTAMP') return 'knex.fn.now()';
  const [, text] = /^'([\w .:-]*)'::(?:text|character varying)$/.exec(value) ?? [];
  return text === undefined ? `knex.raw(${quote(value, 'text')})` : quote(text, 'text');
}

/** Splits at the commas that stand outside of parentheses and quotes. Pure. */
export function splitList(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const token of text.match(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[^]/g) ?? []) {
    if (token === '(' || token === '[') depth++;
    if (token === ')' || token === ']') depth--;
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim());
}

/** A name, or a text, as a literal of JavaScript. */
export function quote(text: string | undefined, what: 'name' | 'text' = 'name'): string {
  const plain = what === 'name' ? unquoted(text ?? '') : (text ?? '');
  return `'${plain.replaceAll(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
}

/** A name without its quotes. */
export function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
