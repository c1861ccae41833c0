import type { Knex } from 'knex';
import { inParentheses } from './options.js';

/**
 * Whether two expressions over the columns of a table are one: what was written, and what the catalog made of it (`status in ('a', 'b')` reads
 * `((status = ANY (ARRAY['a'::text, 'b'::text])))` there). The server is asked to write both down, as the plan of a query that is not run.
 */
export async function isSameExpression(knex: Knex, from: string, [one, other]: readonly [string, string]): Promise<boolean> {
  return await isSame(knex, [inParentheses(one), inParentheses(other)], ` from only ${from} where false`);
}

/** The same of two types, with their modifiers: `varchar(10)` and `character varying(10)`. */
export async function isSameType(knex: Knex, [one, other]: readonly [string, string]): Promise<boolean> {
  return await isSame(knex, [`null::${one}`, `null::${other}`]);
}

/** The same of two defaults of a column of this type. */
export async function isSameDefault(knex: Knex, type: string, [one, other]: readonly [string, string]): Promise<boolean> {
  const plain = type.replace(/\([^)]*\)/, ''); // cutting to a length would show in one of them only
  return await isSame(knex, [`${inParentheses(one)}::${plain}`, `${inParentheses(other)}::${plain}`]);
}

interface Explained {
  readonly Plan: { readonly Output?: readonly string[] };
}

async function isSame(knex: Knex, [one, other]: readonly [string, string], from = ''): Promise<boolean> {
  const query = `explain (verbose, costs off, format json) select ${one}, ${other}${from}`;
  const { rows } = await knex.raw<{ rows: Record<string, readonly Explained[]>[] }>(query.replaceAll('?', '\\?'));
  const [{ Plan } = { Plan: {} }] = Object.values(rows[0] ?? {})[0] ?? [];
  return Plan.Output !== undefined && Plan.Output[0] === Plan.Output[1];
}
