import { columnOf, quote, splitList, unquoted, type BuiltColumn } from './column.js';

/** Lines of a migration's code that do what a statement does. */
export type Code = readonly string[];

interface Place {
  /** What a name without a schema means. */
  readonly schema: string | undefined;
}

const name = String.raw`"(?:[^"]|"")+"`;
const pattern = (text: string) => new RegExp(`^${text.replaceAll('<name>', `(${name})`)}$`, 's');

const addColumn = pattern(String.raw`ALTER TABLE <name>\.<name> ADD COLUMN (.+)`);
const dropColumn = pattern(String.raw`ALTER TABLE <name>\.<name> DROP COLUMN <name>`);
const createTable = pattern(String.raw`CREATE TABLE <name>\.<name> \((.+)\)`);
const dropTable = pattern(String.raw`DROP TABLE <name>\.<name>`);
const renameTable = /^ALTER TABLE ([\w.]+) RENAME TO (\w+)$/;
const renameColumn = /^ALTER TABLE ([\w.]+) RENAME COLUMN (\w+) TO (\w+)$/;
const createIndex = /^CREATE INDEX (\w+) ON (\w+)\.(\w+) USING btree \((\w+(?:, \w+)*)\)$/;
const foreignKey = pattern(
  String.raw`ALTER TABLE <name>\.<name> ADD CONSTRAINT <name> FOREIGN KEY \((\w+)\) REFERENCES (\w+)\.(\w+)\((\w+)\)( ON DELETE (CASCADE|SET NULL|RESTRICT))?`,
);
const commentTable = pattern(String.raw`COMMENT ON TABLE <name>\.<name> IS '((?:[^']|'')*)'`);

/**
 * Writes a statement as calls of knex's schema builder; undefined for one that it does not say naturally, or would garble: knex takes each `?`
 * in what it builds for a value, and reads names as paths. Pure.
 */
export function buildCalls(sql: string, place: Place, serials: Serials = noSerials): Code | undefined {
  if (sql.includes('?') || sql.includes('\\')) return undefined;
  if (sql.match(new RegExp(name, 'g'))?.some((each) => isPath.test(each))) return undefined;
  return rules.map((rule) => rule(sql, place, serials)).find((code) => code !== undefined);
}

// wrapString() of knex splits at dots and at ` as `, trims, and takes * for all.
const isPath = /[.*]| as |^"\s|\s"$/i;

type Rule = (sql: string, place: Place, serials: Serials) => Code | undefined;

const rules: readonly Rule[] = [
  (sql, place) => {
    const [, schema, table, text = ''] = addColumn.exec(sql) ?? [];
    const column = columnOf(text);
    return schema && table && column && altering(place, { schema, table }, [`table.${column.call};`]);
  },
  (sql, place) => {
    const [, schema, table, column] = dropColumn.exec(sql) ?? [];
    return schema && table && column && altering(place, { schema, table }, [`table.dropColumn(${quote(column)});`]);
  },
  (sql, place, serials) => {
    const [, schema, table, text = ''] = createTable.exec(sql) ?? [];
    const lines = schema && table ? tableLines(text, { schema: unquoted(schema), table: unquoted(table) }, serials) : undefined;
    return lines && [`await ${builder(place, schema)}.createTable(${quote(table)}, (table) => {`, ...lines.map(indent), '});'];
  },
  (sql, place) => {
    const [, schema, table] = dropTable.exec(sql) ?? [];
    return schema && table && [`await ${builder(place, schema)}.dropTable(${quote(table)});`];
  },
  (sql, place) => {
    const [, from = '', to] = renameTable.exec(sql) ?? [];
    const [schema, table] = from.split('.');
    return to && table && [`await ${builder(place, schema)}.renameTable(${quote(table)}, ${quote(to)});`];
  },
  (sql, place) => {
    const [, from = '', old, now] = renameColumn.exec(sql) ?? [];
    const [schema, table] = from.split('.');
    return old && now && table && altering(place, { schema, table }, [`table.renameColumn(${quote(old)}, ${quote(now)});`]);
  },
  (sql, place) => {
    const [, index, schema, table, columns = ''] = createIndex.exec(sql) ?? [];
    return index && table && altering(place, { schema, table }, [`table.index(${listOf(columns)}, ${quote(index)});`]);
  },
  (sql, place) => {
    const [, schema, table, key, column, toSchema, toTable, toColumn, , onDelete] = foreignKey.exec(sql) ?? [];
    if (!table || !key || !column || !toTable || !toColumn) return undefined;
    const target = toSchema === place.schema ? toTable : `${toSchema}.${toTable}`;
    const call = `table.foreign(${quote(column)}, ${quote(key)}).references(${quote(toColumn)}).inTable(${quote(target)})`;
    return altering(place, { schema, table }, [`${call}${onDelete ? `.onDelete('${onDelete}')` : ''};`]);
  },
  (sql, place) => {
    const [, schema, table, text] = commentTable.exec(sql) ?? [];
    return table && text ? altering(place, { schema, table }, [`table.comment(${quote(text.replaceAll("''", "'"), 'text')});`]) : undefined;
  },
] as readonly ((...args: Parameters<Rule>) => Code | '' | undefined)[] as readonly Rule[];

function altering(place: Place, { schema, table }: { schema: string | undefined; table: string }, lines: Code): Code {
  return [`await ${builder(place, schema)}.alterTable(${quote(table)}, (table) => {`, ...lines.map(indent), '});'];
}

function builder(place: Place, schema: string | undefined): string {
  return schema === undefined || unquoted(schema) === place.schema ? 'knex.schema' : `knex.schema.withSchema(${quote(schema)})`;
}

function indent(line: string): string {
  return `  ${line}`;
}

function listOf(columns: string): string {
  return `[${columns
    .split(', ')
    .map((column) => quote(column))
    .join(', ')}]`;
}

/** Columns that count on a sequence of their own: `public.orders.id`. */
export type Serials = ReadonlySet<string>;
const noSerials: Serials = new Set();

// Undefined where one of its parts is beyond the builder.
function tableLines(text: string, { schema, table }: { schema: string; table: string }, serials: Serials): Code | undefined {
  const parts = splitList(text).map((part) => (part.startsWith('CONSTRAINT ') ? constraintOf(part) : columnOf(part)));
  if (parts.some((part) => part === undefined)) return undefined;
  const columns = parts.filter((part): part is BuiltColumn => part !== undefined && 'column' in part);
  const constraints = parts.filter((part): part is BuiltConstraint => part !== undefined && 'constraint' in part);
  const counted = columns.find(({ column }) => serials.has(`${schema}.${table}.${column}`));
  const isKey = ({ constraint, columns: of }: BuiltConstraint) => constraint === `${table}_pkey` && of === counted?.column;
  if (columns.some(({ counts }) => counts) && !constraints.some(isKey)) return undefined;
  return [
    ...columns.map((each) => `table.${each === counted ? serialCall(each) : each.call};`),
    ...constraints.filter((each) => !isKey(each)).map(({ call }) => `table.${call};`),
  ];
}

function serialCall({ column, type }: BuiltColumn): string {
  return `${type === 'bigint' ? 'bigIncrements' : 'increments'}(${quote(column)})`;
}

interface BuiltConstraint {
  readonly constraint: string;
  /** Of a primary key. */
  readonly columns: string | undefined;
  readonly call: string;
}

const constraint = new RegExp(`^CONSTRAINT (${name}) (PRIMARY KEY|UNIQUE|CHECK) \\((.+)\\)$`, 's');

function constraintOf(part: string): BuiltConstraint | undefined {
  const [, of = '', kind, inside = ''] = constraint.exec(part) ?? [];
  const own = unquoted(of);
  if (kind === 'CHECK') return { constraint: own, columns: undefined, call: `check(${quote(inside, 'text')}, [], ${quote(of)})` };
  if (!/^\w+(?:, \w+)*$/.test(inside)) return undefined;
  if (kind === 'UNIQUE') return { constraint: own, columns: undefined, call: `unique(${listOf(inside)}, { indexName: ${quote(of)} })` };
  return (kind && { constraint: own, columns: inside, call: `primary(${listOf(inside)}, { constraintName: ${quote(of)} })` }) || undefined;
}
