import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import { qualified } from '../sql.js';
import { readBuilders, type FoundIndex } from './found-index.js';
import { isSameIndex, renderIndex, type IndexDefinition } from './index-definition.js';

/** Where an index is to stand, and what stands there. */
export interface IndexPlace {
  readonly name: string;
  /** In SQL. */
  readonly table: string;
  /** Undefined where the table is not known (yet). */
  readonly oid: string | undefined;
  /** Under its name. */
  readonly found: FoundIndex | undefined;
}

const what = 'addIndexConcurrently';

/**
 * The statements that build an index concurrently, given what stands under its name: none where it is there, a drop before it where a dead build
 * has left it invalid. Throws EM_DDL_REFUSED when another index has the name, EM_BLOCKED when somebody builds it at this moment.
 */
export async function planBuild(knex: Knex, index: IndexDefinition, { found, ...place }: IndexPlace): Promise<string[]> {
  const build = renderIndex(index, 'concurrently', place);
  if (!found) return [build];
  const drop = `drop index concurrently ${qualified(found.schema, found.name)}`;
  if (found.table !== place.oid || found.partitioned) throw other(found);
  if (!found.valid) {
    await refuseWhileBuilt(knex, found);
    return [drop, build];
  }
  if (await isSameIndex(knex, index, { found, from: place.table })) return [];
  throw other(found);
}

/** Refuses an index of the name that is not the one to be built. */
export function other({ schema, name, definition }: FoundIndex): MigrationError {
  return new MigrationError('EM_DDL_REFUSED', `${what}: there is another index ${schema}.${name} already: ${definition}`, {
    remedy: 'Give the new index another name, or drop the old one in a migration before this one. This call has changed nothing.',
  });
}

// An index that is being built looks like one that was left behind. To drop it would wait for its builder, and then drop a valid one.
async function refuseWhileBuilt(knex: Knex, { schema, name, table }: FoundIndex): Promise<void> {
  const pids = await readBuilders(knex, table);
  if (pids.length === 0) return;
  throw new MigrationError(
    'EM_BLOCKED',
    `${what}: ${schema}.${name} is not valid, and pid ${pids.join(', ')} builds an index on its table`,
    {
      remedy: 'Wait until that build has ended, then start again. This call has changed nothing.',
    },
  );
}
