import type { Body, Format } from '../revision/index.js';
import { buildCalls, type Serials } from './builder.js';

/** One statement of a migration, and what is to be said of it. */
export interface Statement {
  readonly sql: string;
  /** It destroys rows, or what is in a column of them. */
  readonly loses: boolean;
  /** A column that somebody has to fill first. */
  readonly toFill?: string | undefined;
}

/** One migration: what it does, and what takes it back. */
export interface Step {
  readonly up: readonly Statement[];
  readonly down: readonly Statement[];
  readonly transaction: boolean;
}

interface Place {
  /** What a name without a schema means to the migrations of this project. */
  readonly schema: string | undefined;
}

/** The text of the files of a step, in the form that the project writes migrations in. Pure. */
export function renderStep(step: Step, place: Place): Body {
  return (format, title) =>
    format === 'sql'
      ? [sqlText(step, title), sqlDownText(step, title)]
      : [moduleText(step, { format, title, schema: place.schema }), undefined];
}

interface ModulePlace extends Place {
  readonly format: Exclude<Format, 'sql'>;
  readonly title: string;
}

function moduleText({ up, down, transaction }: Step, place: ModulePlace): string {
  const { format, title } = place;
  const type = format === 'typescript' ? `import type { Knex } from 'knex';\n` : `/** @typedef {import('knex').Knex} Knex */\n`;
  const config = format === 'commonjs' ? 'exports.config =' : 'export const config =';
  return [
    `// ${title}`,
    '',
    type,
    ...(transaction ? [] : [`${config} { transaction: false };\n`]),
    functionText('up', up, place),
    '',
    functionText('down', down, place),
    '',
  ].join('\n');
}

const heads: Readonly<Record<ModulePlace['format'], (name: string) => string>> = {
  module: (name) => `/** @param {Knex} knex */\nexport async function ${name}(knex) {`,
  commonjs: (name) => `/** @param {Knex} knex */\nexports.${name} = async function ${name}(knex) {`,
  typescript: (name) => `export async function ${name}(knex: Knex): Promise<void> {`,
};

function functionText(name: 'up' | 'down', statements: readonly Statement[], { format, schema }: ModulePlace): string {
  const { serials, left } = withoutSequences(statements);
  const lines = left.flatMap(({ sql, ...statement }) => [
    ...notesOf(statement).map((note) => `// ${note}`),
    ...(buildCalls(sql, { schema }, serials) ?? raw(sql)),
  ]);
  const body = lines.length === 0 ? [nothing('//')] : lines;
  const unused =
    lines.length === 0 && format === 'typescript' ? heads[format](name).replace('knex: Knex', '_knex: Knex') : heads[format](name);
  return [unused, ...body.map((line) => (line === '' ? line : `  ${line}`)), '}'].join('\n');
}

function notesOf({ loses, toFill }: Omit<Statement, 'sql'>): string[] {
  return [
    ...(loses ? ['Data loss: what is stored there is gone for good.'] : []),
    ...(toFill === undefined ? [] : [`Fill ${toFill} first, in batches: this fails as long as a row has no value.`]),
  ];
}

function nothing(sign: '//' | '--'): string {
  return `${sign} Nothing: the migrations before this one take it back.`;
}

// Of several lines it is a template literal, whose lines are not indented: they may belong to a function's body. knex writes ? for \\?,
// and a raw \r there would be a \n.
function raw(sql: string): string[] {
  const escaped = sql.replaceAll('\\', '\\\\').replaceAll('?', '\\\\?').replaceAll('\r', '\\r');
  if (!sql.includes('\n')) return [`await knex.raw('${escaped.replaceAll("'", "\\'")}');`];
  return [`await knex.raw(\`${escaped.replaceAll('`', '\\`').replaceAll('${', '\\${')}\`);`];
}

const ownSequence =
  /^CREATE SEQUENCE "(\w+)"\."(\w+)" AS (?:integer|bigint) INCREMENT BY 1 MINVALUE 1 MAXVALUE (?:2147483647|9223372036854775807) START WITH 1 CACHE 1 NO CYCLE$/;
const owned = /^ALTER SEQUENCE "(\w+)"\."(\w+)" OWNED BY "(\w+)"\."(\w+)"\."(\w+)"$/;

// `table.increments()` makes table, sequence and what ties them together.
function withoutSequences(statements: readonly Statement[]): { readonly serials: Serials; readonly left: readonly Statement[] } {
  const made = new Set(statements.map(({ sql }) => ownSequence.exec(sql)).flatMap((found) => (found ? [`${found[1]}.${found[2]}`] : [])));
  const ties = statements.flatMap(({ sql }) => {
    const [, schema, sequence, ofSchema, table, column] = owned.exec(sql) ?? [];
    const isUsual = schema === ofSchema && sequence === `${table}_${column}_seq` && made.has(`${schema}.${sequence}`);
    const serial = `${schema}.${table}.${column}`;
    return isUsual && isBuilt(statements, `"${schema}"."${table}"`, serial) ? [{ sequence: `${schema}.${sequence}`, serial }] : [];
  });
  const sequences = new Set(ties.map(({ sequence }) => sequence));
  const isTied = (sql: string) => {
    const [, schema, sequence] = ownSequence.exec(sql) ?? owned.exec(sql) ?? [];
    return sequences.has(`${schema}.${sequence}`);
  };
  return { serials: new Set(ties.map(({ serial }) => serial)), left: statements.filter(({ sql }) => !isTied(sql)) };
}

// Only where the builder says the whole table: it makes the sequence with it.
function isBuilt(all: readonly Statement[], table: string, serial: string): boolean {
  const create = all.find(({ sql }) => sql.startsWith(`CREATE TABLE ${table} (`));
  return create !== undefined && buildCalls(create.sql, { schema: undefined }, new Set([serial])) !== undefined;
}

function sqlText({ up, transaction }: Step, title: string): string {
  return `-- revision: ${title}\n${transaction ? '' : '-- transaction: false\n'}${scriptOf(up)}`;
}

function sqlDownText({ down }: Step, title: string): string {
  return `-- revision: ${title}\n${scriptOf(down)}`;
}

function scriptOf(statements: readonly Statement[]): string {
  if (statements.length === 0) return `${nothing('--')}\n`;
  return statements
    .map(
      ({ sql, ...statement }) =>
        `\n${notesOf(statement)
          .map((note) => `-- ${note}\n`)
          .join('')}${sql.trimEnd()};\n`,
    )
    .join('');
}
