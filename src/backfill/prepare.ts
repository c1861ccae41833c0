import { jsonLiteral, literal } from '../sql.js';
import { sqlOf } from '../table-name.js';
import { columnsOf, leavesOf, refusalOf, renderKeyQuery, textOf, type KeyColumn, type Keyed } from './key.js';
import type { RangeRow } from './state.js';
import { arrayOf, commitRange, rollBack, fail, settle, type Place } from './turn.js';

/** Finds the key and the last row, an empty table having none, and cuts the table into the ranges that were asked for. Ends the transaction of the claim. */
export async function prepare(place: Place, row: RangeRow): Promise<'running' | 'failed'> {
  await settle(place, row, { lock: 1_000, statement: 60_000 });
  const { definition, name } = row;
  const table = sqlOf(definition.table);
  const [found] = await place.session.query<Keyed>(renderKeyQuery(table, definition.key));
  const refusal = refusalOf(found, table, definition.key);
  if (refusal !== undefined) {
    await rollBack(place);
    await fail(place, name, { code: 'key', message: refusal });
    return 'failed';
  }
  const walk = found as Walk;
  const upper = await readUpper(place, walk);
  const ends = upper ? [...(await readCuts(place, walk, definition.parallel)), upper] : [];
  await commitRange(place, row, { set: begun(walk, ends), also: renderOthers(place, row, ends) });
  return 'running';
}

interface Walk {
  readonly relation: string;
  readonly key: readonly KeyColumn[];
}

function begun({ relation, key }: Walk, ends: readonly (readonly string[])[]): string[] {
  return [
    `status = ${ends.length > 0 ? `'running'` : `'passed'`}`,
    `relation = ${literal(relation)}`,
    `key = ${jsonLiteral(key)}`,
    ...ends.slice(0, 1).map((end) => `upper = ${arrayOf(end)}`),
    'started_at = clock_timestamp()',
  ];
}

// Copies of the first, each from the end of the one before it.
function renderOthers({ tables: { backfills } }: Place, { name }: RangeRow, ends: readonly (readonly string[])[]): string {
  const shared = 'migration, definition, hash, search_path, status, relation, key, batch_size, enqueued_at, started_at';
  const others = ends.slice(1).map((end, index) => {
    const bounds = `${index + 1}, ${arrayOf(ends[index] ?? [])}, ${arrayOf(end)}`;
    return `insert into ${backfills} (name, range, cursor, upper, ${shared}) select name, ${bounds}, ${shared} from ${backfills} where name = ${literal(name)} and range = 0;`;
  });
  return others.join('\n');
}

async function readUpper({ session }: Place, { relation, key }: Walk): Promise<readonly string[] | undefined> {
  const descending = columnsOf(key).replaceAll(', ', ' desc, ');
  const [row] = await session.query<{ upper: readonly string[] }>(
    `select ${textOf(key)} as upper from ${relation} t order by ${descending} desc limit 1`,
  );
  return row?.upper;
}

const sampledPages = 1_000;
const leastRows = 100;

// Where the key's values lie is learnt from a sample of pages: any type of key has an order, and few can be reckoned with.
async function readCuts({ session }: Place, { relation, key }: Walk, count: number): Promise<(readonly string[])[]> {
  if (count === 1) return [];
  const [size] = await session.query<{ pages: number }>(
    `select pg_catalog.sum(pg_catalog.pg_relation_size(relid) / 8192)::float8 as pages from (${leavesOf('$1::pg_catalog.regclass')}) l`,
    [relation],
  );
  const percent = Math.min(100, (100 * sampledPages) / Math.max(1, size?.pages ?? 1));
  const rows = await session.query<{ key: readonly string[] }>(
    `with sample as (select ${textOf(key)} as key, pg_catalog.row_number() over (order by ${columnsOf(key)}) as number, pg_catalog.count(*) over () as total
       from ${relation} t tablesample system (${percent.toFixed(4)}))
     select key from sample where total >= ${leastRows * count} and number in (select total * i / ${count} from pg_catalog.generate_series(1, ${count - 1}) i) order by number`,
  );
  return rows.map((row) => row.key);
}
