import type { Knex } from 'knex';
import { resumableMark } from './sql.js';

/** Sends one statement that changes something, marked as one that was looked up first. */
export async function change(knex: Knex, statement: string): Promise<void> {
  // knex makes a parameter of every question mark, also of those in literals.
  await knex.raw(`${statement.replaceAll('?', '\\?')} ${resumableMark}`);
}

/** Asks the catalog. Columns have names of one word: an application's knex may map others. Each `?` is a text, or a list of texts. */
export async function read<Row>(knex: Knex, query: string, values: readonly (string | readonly string[])[]): Promise<readonly Row[]> {
  const { rows } = await knex.raw<{ rows: Row[] }>(query, values as unknown as string[]);
  return rows;
}
