import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { qualified } from '../sql.js';
import { readIndexes, type FoundIndex } from './found-index.js';
import { name, readOptions, sqlOf, tableName, type Form, type TableName } from './options.js';
import { change, refuseTransaction } from './send.js';
import { readTable, type Table } from './table.js';

/** Which index, and of which table. */
export interface DropIndexOptions {
  readonly table: TableName;
  /** Of the index, which stands in the schema of its table. */
  readonly name: string;
}

const what = 'dropIndexConcurrently';
const form: Form<DropIndexOptions> = { readers: { table: tableName, name }, needed: ['table', 'name'] };

/** See index.ts. */
export async function dropIndexConcurrently(knex: Knex, options: DropIndexOptions): Promise<void> {
  const index = readOptions(what, options, form);
  refuseTransaction(knex, what, { why: 'the server refuses drop index concurrently there' });
  const table = await readTable(knex, index.table);
  const schema = table?.schema ?? (typeof index.table === 'string' ? undefined : index.table.schema);
  if (table) {
    const [found] = await readIndexes(knex, [table.schema], [index.name]);
    if (!found) return;
    refuseOther(found, table, sqlOf(index.table));
  }
  await change(knex, `drop index concurrently ${qualified(schema, index.name)}`);
}

function refuseOther(found: FoundIndex, table: Table, written: string): void {
  if (found.table !== table.oid) {
    throw new MigrationError(
      'EM_DDL_REFUSED',
      `${what}: the index ${found.schema}.${found.name} is not one of ${written}: ${found.definition}`,
    );
  }
  if (!found.partitioned) return;
  const index = qualified(found.schema, found.name);
  throw new MigrationError(
    'EM_DDL_REFUSED',
    `${what}: no server can drop the index of a partitioned table concurrently: ${found.definition}`,
    {
      remedy: `Send \`drop index ${index}\` in a migration of its own: it locks the table and its partitions against reads and writes, for an instant. Nothing was changed.`,
    },
  );
}
