import { readFileSync } from 'node:fs';
import { messageOf, MigrationError } from '../errors.js';

/** What a new file is written in. */
export type Format = 'module' | 'commonjs' | 'typescript' | 'sql';

const code = (head: string, declare: (name: string) => string) => `// {{message}}
${head}
${declare('up')} {
  // await knex.schema.alterTable('patients', (table) => table.text('email'));
}

// Takes back what up did.
${declare('down')} {
  // await knex.schema.alterTable('patients', (table) => table.dropColumn('email'));
}
`;

const knexType = `\n/** @typedef {import('knex').Knex} Knex */\n`;

const templates: Readonly<Record<Format, string>> = {
  module: code(knexType, (name) => `/** @param {Knex} knex */\nexport async function ${name}(knex)`),
  commonjs: code(knexType, (name) => `/** @param {Knex} knex */\nexports.${name} = async function ${name}(knex)`),
  typescript: code(`import type { Knex } from 'knex';\n`, (name) => `export async function ${name}(knex: Knex): Promise<void>`),
  sql: `-- revision: {{message}}\n-- Statements for PostgreSQL, all in one transaction.\n`,
};

/** The text of a .down.sql. */
export const downTemplate = `-- revision: {{message}}\n-- Takes back what the .up.sql beside it did.\n`;

/** The template for a format: the project's own where it has one. Throws EM_CONFIG_INVALID when that cannot be used. */
export function readTemplate(format: Format, stub: string | undefined): string {
  if (stub === undefined) return templates[format];
  const text = readStub(stub);
  if (!text.includes('<%')) return text;
  const remedy = 'Write {{message}} and {{name}} into it instead, or use `knex migrate:make`.';
  throw new MigrationError('EM_CONFIG_INVALID', `the template ${stub} holds <% %>, which only knex fills in.`, { remedy });
}

function readStub(stub: string): string {
  try {
    return readFileSync(stub, 'utf8');
  } catch (cause) {
    const remedy = 'Correct the option `migrations.stub`, or leave it out.';
    throw new MigrationError('EM_CONFIG_INVALID', `the template ${stub} cannot be read: ${messageOf(cause)}.`, { cause, remedy });
  }
}

/** Fills a template in. */
export function fill(template: string, values: { readonly message: string; readonly name: string }): string {
  return template.replaceAll(/\{\{(message|name)\}\}/g, (_, key: 'message' | 'name') => values[key]);
}
