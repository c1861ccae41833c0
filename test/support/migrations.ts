import { makeDirectory } from './directories.js';

export interface Written {
  readonly sql: string | readonly string[];
  readonly transaction?: false;
}

/**
 * A directory of .js migrations, name: SQL. Each of them also writes its name into the table `ran`, so that what ran twice shows there.
 * Deleted after the file's tests.
 */
export async function makeMigrations(migrations: Readonly<Record<string, string | Written>>): Promise<string> {
  const files = Object.entries(migrations).map(([name, written]) => [`${name}.js`, moduleOf(name, written)] as const);
  // The files are ES modules, whatever stands in a directory above them.
  return await makeDirectory({ 'package.json': '{ "type": "module" }', ...Object.fromEntries(files) });
}

/** `count` small migrations, each of which makes one table. */
export function tables(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, index) => `m${String(index).padStart(5, '0')}`);
  return Object.fromEntries(names.map((name) => [name, `create table ${name} (id int primary key)`]));
}

function moduleOf(name: string, written: string | Written): string {
  const { sql, transaction } = typeof written === 'string' ? { sql: written } : written;
  const statements = ['create table if not exists ran (name text not null, pid int not null default pg_backend_pid())', ...[sql].flat()];
  return [
    ...(transaction === undefined ? [] : ['export const config = { transaction: false };']),
    'export async function up(knex) {',
    ...statements.map((statement) => `  await knex.raw(${JSON.stringify(statement)});`),
    `  await knex('ran').insert({ name: '${name}' });`,
    '}',
    'export async function down() {}',
    '',
  ].join('\n');
}
