import type { Knex } from 'knex';
import { oneOf } from '../config/index.js';
import { addConstraint, refuseValidateInTransaction, type FoundConstraint, type Validate } from './constraint.js';
import { inParentheses, name, readOptions, sql, sqlOf, tableName, type Form, type TableName } from './options.js';
import { isSameExpression } from './same.js';

/** The check, and when it is held against the rows that are there. */
export interface AddCheckOptions {
  readonly table: TableName;
  /** Of the constraint. */
  readonly name: string;
  /** What must hold for each row, in SQL. */
  readonly expression: string;
  /** Default: `now`. */
  readonly validate?: Validate;
}

const what = 'addCheck';
const form: Form<AddCheckOptions> = {
  readers: {
    table: tableName,
    name,
    expression: sql,
    validate: oneOf('now', 'later'),
  },
  needed: ['table', 'name', 'expression'],
};

/** See index.ts. */
export async function addCheck(knex: Knex, options: AddCheckOptions): Promise<void> {
  const { table, name: constraint, expression, validate = 'now' } = readOptions(what, options, form);
  refuseValidateInTransaction(knex, what, validate);
  const isSame = async (found: FoundConstraint) => await isSameCheck(knex, sqlOf(table), { found, expression });
  await addConstraint(knex, { what, table, name: constraint, definition: `check ${inParentheses(expression)}`, validate, isSame });
}

/** Whether a constraint is this check. */
export async function isSameCheck(knex: Knex, from: string, { found, expression }: { found: FoundConstraint; expression: string }) {
  if (found.type !== 'c' || found.noinherit || found.expression === null) return false;
  return await isSameExpression(knex, from, [expression, found.expression]);
}
