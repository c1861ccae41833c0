import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { identifier } from '../sql.js';
import { isSameCheck } from './add-check.js';
import { addConstraint, readConstraint, renderValidate, type FoundConstraint } from './constraint.js';
import { name, readOptions, sqlOf, tableName, type Form, type TableName } from './options.js';
import { change, read, refuseTransaction } from './send.js';

/** Which column. */
export interface SetNotNullOptions {
  readonly table: TableName;
  readonly column: string;
}

const what = 'setNotNull';
const form: Form<SetNotNullOptions> = { readers: { table: tableName, column: name }, needed: ['table', 'column'] };

/**
 * See index.ts. PostgreSQL 18 could add a NOT NULL that is not valid; the check is the way that is the same on 14 to 18, and leaves the same
 * schema: a column that is NOT NULL, by the name that the server gives.
 */
export async function setNotNull(knex: Knex, options: SetNotNullOptions): Promise<void> {
  const { table, column } = readOptions(what, options, form);
  refuseTransaction(knex, what, { why: 'the lock of each step would last until the rows are read' });
  const proof = proofOf(column);
  const state = await readColumn(knex, table, column);
  if (!state?.notnull) return await prove(knex, { table, column, proof });
  if (state.unproven !== null) await change(knex, renderValidate(table, state.unproven)); // from PostgreSQL 18 on
  if (await readConstraint(knex, table, proof)) await change(knex, renderDrop(table, proof));
}

async function prove(knex: Knex, { table, column, proof }: SetNotNullOptions & { readonly proof: string }): Promise<void> {
  const expression = `${identifier(column)} is not null`;
  const isSame = async (found: FoundConstraint) => await isSameCheck(knex, sqlOf(table), { found, expression });
  await addConstraint(knex, { what, table, name: proof, definition: `check (${expression})`, validate: 'now', isSame });
  await change(knex, `alter table ${sqlOf(table)} alter column ${identifier(column)} set not null`);
  await change(knex, renderDrop(table, proof));
}

function renderDrop(table: TableName, constraint: string): string {
  return `alter table ${sqlOf(table)} drop constraint ${identifier(constraint)}`;
}

/** The name of the check: not one that SET NOT NULL itself would choose (PostgreSQL 18), and at most 63 bytes. */
function proofOf(column: string): string {
  const plain = `ensure_migrated_not_null_${column}`;
  return Buffer.byteLength(plain) <= 63
    ? plain
    : `ensure_migrated_not_null_${createHash('sha256').update(column).digest('hex').slice(0, 16)}`;
}

interface Column {
  readonly notnull: boolean;
  /** The constraint that says so, where it is not valid. */
  readonly unproven: string | null;
}

async function readColumn(knex: Knex, table: TableName, column: string): Promise<Column | undefined> {
  const [row] = await read<Column>(
    knex,
    `select a.attnotnull as notnull, (select c.conname from pg_catalog.pg_constraint c
       where c.conrelid = a.attrelid and c.contype = 'n' and not c.convalidated and c.conkey = array[a.attnum]) as unproven
     from pg_catalog.pg_attribute a where a.attrelid = pg_catalog.to_regclass(?)::oid and a.attname = ? and a.attnum > 0 and not a.attisdropped`,
    [sqlOf(table), column],
  );
  return row;
}
