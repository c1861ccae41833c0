import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { qualified } from '../sql.js';
import { other, planBuild } from './build-index.js';
import { readAttached, readIndexes, type AttachedIndex, type FoundIndex } from './found-index.js';
import { isSameIndex, renderIndex, type IndexDefinition } from './index-definition.js';
import { sqlOf } from './options.js';
import { readPartitions, type Partition, type Table } from './table.js';

/** What is known of the tree before the first change. */
interface Tree {
  readonly knex: Knex;
  readonly index: IndexDefinition;
  readonly partitions: readonly Partition[];
  readonly found: readonly FoundIndex[];
  /** By the oid of the table. */
  readonly attached: ReadonlyMap<string, AttachedIndex>;
}

/**
 * The statements that bring an index onto a partitioned table, where the server knows no CONCURRENTLY: an empty one on the parent, one on each
 * partition concurrently, each attached. The parent's becomes valid with the last of them, and so does one of a partition that has partitions.
 * What a dead run has done is left out.
 */
export async function planPartitions(knex: Knex, index: IndexDefinition, table: Table): Promise<string[]> {
  const partitions = await readPartitions(knex, table);
  refuseForeign(partitions);
  const [root] = await readIndexes(knex, [table.schema], [index.name]);
  const found = await readIndexes(
    knex,
    partitions.map(({ schema }) => schema),
    partitions.map((each) => nameOn(index, each)),
  );
  const attached = new Map<string, AttachedIndex>();
  for (const parent of [...found.filter((each) => each.partitioned), ...(root ? [root] : [])]) {
    for (const each of await readAttached(knex, parent)) attached.set(each.table, each);
  }
  const tree = { knex, index, partitions, found, attached };
  const own = await planParent(tree, { name: index.name, table, sql: sqlOf(index.table) }, root);
  return [...own, ...(await planChildren(tree, table, { schema: table.schema, name: index.name }))];
}

interface ParentPlace {
  readonly name: string;
  readonly table: Table;
  readonly sql: string;
}

// It is no leftover where it is invalid: it waits for its partitions.
async function planParent({ knex, index }: Tree, place: ParentPlace, found: FoundIndex | undefined): Promise<string[]> {
  if (!found) return [renderIndex(index, 'on only', { name: place.name, table: place.sql })];
  if (found.table !== place.table.oid || !(await isSameIndex(knex, index, { found, from: place.sql }))) throw other(found);
  return [];
}

async function planChildren(tree: Tree, parent: Table, parentIndex: { schema: string; name: string }): Promise<string[]> {
  const statements: string[] = [];
  for (const partition of tree.partitions.filter((each) => each.parent === parent.oid)) {
    const attached = tree.attached.get(partition.oid);
    const own = attached ?? { schema: partition.schema, name: nameOn(tree.index, partition) };
    if (!attached) statements.push(...(await planOne(tree, partition, own.name)));
    if (partition.partitioned) statements.push(...(await planChildren(tree, partition, own)));
    const [upper, lower] = [parentIndex, own].map(({ schema, name }) => qualified(schema, name));
    if (!attached) statements.push(`alter index ${upper} attach partition ${lower}`);
  }
  return statements;
}

async function planOne(tree: Tree, partition: Partition, name: string): Promise<string[]> {
  const found = tree.found.find((each) => each.schema === partition.schema && each.name === name);
  const sql = qualified(partition.schema, partition.name);
  if (partition.partitioned) return await planParent(tree, { name, table: partition, sql }, found);
  return await planBuild(tree.knex, tree.index, { name, table: sql, oid: partition.oid, found });
}

const mostBytes = 63;

/** What the index of a partition is called: the same whoever asks, and however far a dead run had come. */
function nameOn(index: IndexDefinition, { name }: Partition): string {
  const whole = `${index.name}_${name}`;
  if (Buffer.byteLength(whole) <= mostBytes) return whole;
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  const start = Buffer.from(whole).toString('utf8', 0, mostBytes - hash.length - 1);
  return `${start.replace(/\uFFFD+$/, '')}_${hash}`;
}

function refuseForeign(partitions: readonly Partition[]): void {
  const foreign = partitions.filter(({ local }) => !local).map(({ schema, name }) => `${schema}.${name}`);
  if (foreign.length === 0) return;
  throw new MigrationError('EM_DDL_REFUSED', `addIndexConcurrently: these partitions are foreign tables: ${foreign.join(', ')}`, {
    remedy: 'Build an index on each of the other partitions by its own name. Nothing was changed.',
  });
}
