import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { invalid } from './options.js';

export { change, read } from '../through-knex.js';

/** The way out of a transaction, without the end of its sentence. */
export const outside = 'Add `export const config = { transaction: false }` to the migration';

/** Throws EM_DDL_REFUSED in a transaction, with the reason why it cannot be done there. */
export function refuseTransaction(
  knex: Knex,
  what: string,
  { why, remedy = `${outside}. Nothing was changed.` }: { why: string; remedy?: string },
): void {
  refuseNoKnex(knex, what);
  if (knex.isTransaction) throw new MigrationError('EM_DDL_REFUSED', `${what} was called in a transaction: ${why}`, { remedy });
}

/** Throws EM_DDL_INVALID for what is no knex. */
export function refuseNoKnex(knex: unknown, what: string): asserts knex is Knex {
  if (typeof (knex as Knex | undefined)?.raw !== 'function') throw invalid(what, ['the first argument is the knex of the migration']);
}
