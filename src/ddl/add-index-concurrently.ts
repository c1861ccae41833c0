import type { Knex } from 'knex';
import { planBuild } from './build-index.js';
import { readIndexes } from './found-index.js';
import { indexForm, type IndexDefinition } from './index-definition.js';
import { readOptions, sqlOf } from './options.js';
import { planPartitions } from './partitioned-index.js';
import { change, refuseTransaction } from './send.js';
import { readTable } from './table.js';

/** The index. */
export type AddIndexOptions = IndexDefinition;

/** See index.ts. Looks at everything first, so that a refusal comes before the first change. */
export async function addIndexConcurrently(knex: Knex, options: AddIndexOptions): Promise<void> {
  const what = 'addIndexConcurrently';
  const index = readOptions(what, options, indexForm);
  refuseTransaction(knex, what, { why: 'the server refuses create index concurrently there' });
  for (const statement of await plan(knex, index)) await change(knex, statement);
}

async function plan(knex: Knex, index: IndexDefinition): Promise<string[]> {
  const table = await readTable(knex, index.table);
  if (table?.partitioned) return await planPartitions(knex, index, table);
  const [found] = table ? await readIndexes(knex, [table.schema], [index.name]) : [];
  return await planBuild(knex, index, { name: index.name, table: sqlOf(index.table), oid: table?.oid, found });
}
