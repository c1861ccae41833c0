import { literal } from '../sql.js';
import type { Contents, Table } from './contents.js';
import { renderSetval, type Condition, type Damage } from './detect.js';
import type { Link } from './link.js';

export interface MendRequest {
  readonly link: Link;
  readonly contents: Contents;
  /** As the fresh copy was. */
  readonly fresh: Condition;
  readonly damage: Damage;
}

const vacuumBytes = 2 ** 20;

/**
 * Puts rows, sequences and materialized views back, in one transaction and one message, in which no trigger fires and no foreign key is asked.
 * Throws what the server says: nothing is changed then, and only a new copy helps.
 */
export async function mend({ link, contents, fresh, damage }: MendRequest): Promise<void> {
  const tables = damage.tables.flatMap((place) => contents.tables[place] ?? []);
  const names = (all: readonly string[], places: readonly number[]) => places.flatMap((place) => all[place] ?? []);
  await link
    .query(
      [
        `begin; set local session_replication_role to replica; set local lock_timeout to '200ms';`,
        ...tables.map(({ name }) => `delete from only ${name};`),
        ...tables.map(renderInsert),
        ...damage.sequences.map((place) => renderSetval(contents.sequences[place] ?? '', fresh.sequences[place] ?? '')),
        ...names(contents.views, damage.views).map((name) => `refresh materialized view ${name};`),
        `commit`,
      ].join('\n'),
    )
    .catch(async (error: unknown) => {
      await link.query('rollback');
      throw error;
    });
  await shrink(link, tables);
}

/** Whether the rows of all that was damaged are at hand, and may be written without a trigger. Pure. */
export function canMend({ tables, isQuiet }: Contents, damage: Damage): boolean {
  return isQuiet && damage.tables.every((place) => tables[place]?.rows !== 'many' && tables[place]?.columns.length !== 0);
}

function renderInsert({ name, columns, rows }: Table): string {
  if (typeof rows === 'string') return '';
  const list = columns.join(', ');
  return `insert into ${name} (${list}) overriding system value select ${list} from pg_catalog.unnest(${literal(rows.text)}::${name}[]) em_row;`;
}

// Deleted rows stay where they were, and are looked at by each detection: with autovacuum off, nobody else takes them away.
async function shrink(link: Link, tables: readonly Table[]): Promise<void> {
  if (tables.length === 0) return;
  const sizes = tables.map(({ name }) => `(${literal(name)}, pg_catalog.pg_relation_size(${literal(name)}::regclass))`);
  const large = await link.query<{ name: string }>(
    `select name from (values ${sizes.join(', ')}) v (name, size) where size > ${vacuumBytes}`,
  );
  for (const { name } of large) await link.query(`vacuum ${name}`);
}
