import type { Knex } from 'knex';
import type { AddColumnOptions } from './add-column-with-volatile-default.js';
import type { AddCheckOptions } from './add-check.js';
import type { AddForeignKeyOptions } from './add-foreign-key.js';
import type { AddIndexOptions } from './add-index-concurrently.js';
import type { DropIndexOptions } from './drop-index-concurrently.js';
import type { SetNotNullOptions } from './set-not-null.js';
import type { ValidateConstraintOptions } from './validate-constraint.js';

export type { AddColumnOptions } from './add-column-with-volatile-default.js';
export type { AddCheckOptions } from './add-check.js';
export type { AddForeignKeyOptions } from './add-foreign-key.js';
export type { AddIndexOptions } from './add-index-concurrently.js';
export type { Validate } from './constraint.js';
export type { IndexDefinition, IndexKey } from './index-definition.js';
export type { DropIndexOptions } from './drop-index-concurrently.js';
export type { TableName } from './options.js';
export type { SetNotNullOptions } from './set-not-null.js';
export type { ValidateConstraintOptions } from './validate-constraint.js';

/**
 * Builds an index while the table is read and written (SHARE UPDATE EXCLUSIVE). On a partitioned table: an empty one on the parent (SHARE, for
 * an instant), one on each partition concurrently, each attached. One that a dead run left invalid is dropped and built again. Waits for every
 * transaction that is older. Throws EM_DDL_INVALID, EM_DDL_REFUSED (in a transaction; another index has the name), EM_BLOCKED (it is being built).
 */
export async function addIndexConcurrently(knex: Knex, options: AddIndexOptions): Promise<void> {
  const { addIndexConcurrently: run } = await import('./add-index-concurrently.js');
  await run(knex, options);
}

/**
 * Drops an index while the table is read and written (SHARE UPDATE EXCLUSIVE); nothing where it is gone. Waits for every transaction that may use it.
 * Throws EM_DDL_INVALID, EM_DDL_REFUSED (in a transaction; the index of another table; of a partitioned table, which no server can drop so).
 */
export async function dropIndexConcurrently(knex: Knex, options: DropIndexOptions): Promise<void> {
  const { dropIndexConcurrently: run } = await import('./drop-index-concurrently.js');
  await run(knex, options);
}

/**
 * Adds a foreign key without a look at the rows (SHARE ROW EXCLUSIVE on both tables, for an instant), then validates it while both are read and
 * written (SHARE UPDATE EXCLUSIVE; ROW SHARE on the other). New rows are held to it from the first on. With `validate: 'later'` the second is left
 * to {@link validateConstraint}: the only way in a transaction. Throws EM_DDL_INVALID, EM_DDL_REFUSED.
 */
export async function addForeignKey(knex: Knex, options: AddForeignKeyOptions): Promise<void> {
  const { addForeignKey: run } = await import('./add-foreign-key.js');
  await run(knex, options);
}

/** The same for a CHECK: ACCESS EXCLUSIVE for an instant, then SHARE UPDATE EXCLUSIVE while the rows are read. */
export async function addCheck(knex: Knex, options: AddCheckOptions): Promise<void> {
  const { addCheck: run } = await import('./add-check.js');
  await run(knex, options);
}

/**
 * Validates a constraint that was added NOT VALID (SHARE UPDATE EXCLUSIVE while the rows are read); nothing where it is valid. Throws EM_DDL_INVALID,
 * EM_DDL_REFUSED: there is none of this name, or the transaction holds a stronger lock on its table, which would last as long.
 */
export async function validateConstraint(knex: Knex, options: ValidateConstraintOptions): Promise<void> {
  const { validateConstraint: run } = await import('./validate-constraint.js');
  await run(knex, options);
}

/**
 * Sets NOT NULL without reading the table under ACCESS EXCLUSIVE: a CHECK that is not valid (ACCESS EXCLUSIVE, an instant), validated (SHARE UPDATE
 * EXCLUSIVE), proves it; SET NOT NULL then reads nothing, and the CHECK goes. Throws EM_DDL_INVALID, EM_DDL_REFUSED.
 */
export async function setNotNull(knex: Knex, options: SetNotNullOptions): Promise<void> {
  const { setNotNull: run } = await import('./set-not-null.js');
  await run(knex, options);
}

/**
 * Adds a column whose default gives each row another value, without a rewrite: the column and its default at once (ACCESS EXCLUSIVE, an instant),
 * then the rows that were there, in the order of the primary key, with a commit after each batch. Throws EM_DDL_INVALID, EM_DDL_REFUSED.
 */
export async function addColumnWithVolatileDefault(knex: Knex, options: AddColumnOptions): Promise<void> {
  const { addColumnWithVolatileDefault: run } = await import('./add-column-with-volatile-default.js');
  await run(knex, options);
}
