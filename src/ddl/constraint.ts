import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { identifier } from '../sql.js';
import { sqlOf, type TableName } from './options.js';
import { change, outside, read, refuseNoKnex, refuseTransaction } from './send.js';

/** A constraint as the catalog has it. */
export interface FoundConstraint {
  /** `c` check, `f` foreign key, `n` not null, ... */
  readonly type: string;
  readonly valid: boolean;
  readonly definition: string;
  /** Of a check. */
  readonly expression: string | null;
  readonly noinherit: boolean;
  /** In the order in which they stand in it. */
  readonly columns: readonly string[];
  readonly targets: readonly string[];
  /** Of a foreign key: the oid of the other table, `0` for none. */
  readonly target: string;
  /** Of a foreign key: update, delete and match, a letter each; whether it is deferrable, and deferred. */
  readonly actions: string;
  readonly deferrable: boolean;
  readonly deferred: boolean;
}

const columnsOf = (relation: string, numbers: string) => `array(select a.attname::text
    from pg_catalog.unnest(${numbers}) with ordinality k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = ${relation} and a.attnum = k.number order by k.place)`;

/** The constraint of this name of the table. */
export async function readConstraint(knex: Knex, table: TableName, name: string): Promise<FoundConstraint | undefined> {
  const [row] = await read<FoundConstraint>(
    knex,
    `select c.contype::text as type, c.convalidated as valid, pg_catalog.pg_get_constraintdef(c.oid) as definition,
       pg_catalog.pg_get_expr(c.conbin, c.conrelid) as expression, c.connoinherit as noinherit, c.confrelid::text as target,
       c.confupdtype::text || c.confdeltype::text || c.confmatchtype::text as actions, c.condeferrable as deferrable, c.condeferred as deferred,
       ${columnsOf('c.conrelid', 'c.conkey')} as columns, ${columnsOf('c.confrelid', 'c.confkey')} as targets
     from pg_catalog.pg_constraint c where c.conrelid = pg_catalog.to_regclass(?)::oid and c.conname = ?`,
    [sqlOf(table), name],
  );
  return row;
}

/** When a new constraint is held against the rows that were there before it. */
export type Validate = 'now' | 'later';

export interface NewConstraint {
  readonly what: string;
  readonly table: TableName;
  readonly name: string;
  /** After ADD CONSTRAINT and its name, without NOT VALID. */
  readonly definition: string;
  readonly validate: Validate;
  /** Whether one that is there already is this one. */
  readonly isSame: (found: FoundConstraint) => boolean | Promise<boolean>;
}

/**
 * Adds it without a look at the rows, then validates it, each in a transaction of its own: what is done already is left out. Throws
 * EM_DDL_REFUSED for another constraint of that name.
 */
export async function addConstraint(knex: Knex, { what, table, name, definition, validate, isSame }: NewConstraint): Promise<void> {
  const found = await readConstraint(knex, table, name);
  if (found && (isUnenforced(found) || !(await isSame(found)))) throw other(what, { table, name, found });
  if (!found) await change(knex, `alter table ${sqlOf(table)} add constraint ${identifier(name)} ${definition} not valid`);
  if (validate === 'now' && !found?.valid) await change(knex, renderValidate(table, name));
}

/** Validating beside ADD in one transaction would keep the lock of ADD for as long as the rows are read. */
export function refuseValidateInTransaction(knex: Knex, what: string, validate: Validate): void {
  if (validate === 'later') return refuseNoKnex(knex, what);
  const remedy = `${outside}, or give \`validate: 'later'\` and call validateConstraint in the migration after it. Nothing was changed.`;
  refuseTransaction(knex, what, { why: 'the lock of adding the constraint would last until its rows are validated', remedy });
}

export function renderValidate(table: TableName, name: string): string {
  return `alter table ${sqlOf(table)} validate constraint ${identifier(name)}`;
}

// From PostgreSQL 18 on; the catalog's column for it is as young.
function isUnenforced({ definition }: FoundConstraint): boolean {
  return definition.endsWith(' NOT ENFORCED');
}

function other(what: string, { table, name, found }: { table: TableName; name: string; found: FoundConstraint }): MigrationError {
  const is = `there is another constraint ${identifier(name)} of ${sqlOf(table)} already: ${found.definition}`;
  return new MigrationError('EM_DDL_REFUSED', `${what}: ${is}`, {
    remedy: 'Give the new constraint another name, or drop the old one in a migration before this one. This call has changed nothing.',
  });
}
