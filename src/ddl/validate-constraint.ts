import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { readConstraint, renderValidate } from './constraint.js';
import { name, readOptions, sqlOf, tableName, type Form, type TableName } from './options.js';
import { change, read, refuseNoKnex } from './send.js';

/** Which constraint, and of which table. */
export interface ValidateConstraintOptions {
  readonly table: TableName;
  /** Of the constraint. */
  readonly name: string;
}

const what = 'validateConstraint';
const form: Form<ValidateConstraintOptions> = { readers: { table: tableName, name }, needed: ['table', 'name'] };

/** See index.ts. */
export async function validateConstraint(knex: Knex, options: ValidateConstraintOptions): Promise<void> {
  const { table, name: constraint } = readOptions(what, options, form);
  refuseNoKnex(knex, what);
  const found = await readConstraint(knex, table, constraint);
  if (found?.valid) return;
  if (knex.isTransaction) await refuseUnderLock(knex, table);
  await change(knex, renderValidate(table, constraint));
}

// What was locked to add the constraint, or for anything else, would stay so until its rows are read.
async function refuseUnderLock(knex: Knex, table: TableName): Promise<void> {
  const [held] = await read<{ mode: string }>(
    knex,
    `select l.mode from pg_catalog.pg_locks l where l.pid = pg_catalog.pg_backend_pid() and l.relation = pg_catalog.to_regclass(?)::oid and l.granted
     and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') limit 1`,
    [sqlOf(table)],
  );
  if (!held) return;
  throw new MigrationError(
    'EM_DDL_REFUSED',
    `${what}: this transaction holds a ${held.mode} on ${sqlOf(table)}, which would last until all rows are read`,
    {
      remedy: 'Validate it in a migration of its own, after the one that adds it.',
    },
  );
}
