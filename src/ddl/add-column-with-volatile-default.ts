import type { Knex } from 'knex';
import { refuse, shown, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { identifier } from '../sql.js';
import { renderFill } from './fill.js';
import { name, readOptions, sql, sqlOf, tableName, type Form, type TableName } from './options.js';
import { isSameDefault, isSameType } from './same.js';
import { change, read, refuseTransaction } from './send.js';

/** The column, and its default. */
export interface AddColumnOptions {
  readonly table: TableName;
  readonly column: string;
  /** In SQL: `uuid`, `numeric(10, 2)`. */
  readonly type: string;
  /** In SQL: `gen_random_uuid()`. */
  readonly default: string;
  /** Rows of one transaction. Default: 1000. */
  readonly batchSize?: number;
}

const what = 'addColumnWithVolatileDefault';

const type: Reader<string> = (value, place) => {
  const read = sql(value, place);
  const expected = 'a type, with a sequence of your own for its default';
  return read !== undefined && /^\s*(small|big)?serial\d?\s*$/i.test(read) ? refuse(place, expected, shown(value)) : read;
};

const count: Reader<number> = (value, place) =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : refuse(place, 'a whole number above 0', shown(value));

const form: Form<AddColumnOptions> = {
  readers: { table: tableName, column: name, type, default: sql, batchSize: count },
  needed: ['table', 'column', 'type', 'default'],
};

/** See index.ts. */
export async function addColumnWithVolatileDefault(knex: Knex, options: AddColumnOptions): Promise<void> {
  const asked = readOptions(what, options, form);
  const { table, column, batchSize = 1000 } = asked;
  refuseTransaction(knex, what, { why: 'the rows are filled in batches, each in a transaction of its own' });
  const key = await readPrimaryKey(knex, table);
  const found = await readColumn(knex, asked);
  if (found) await refuseOther(knex, asked, found);
  if (key.length === 0) throw withoutKey(table);
  const add = `alter table ${sqlOf(table)}`;
  const set = `alter column ${identifier(column)} set default ${asked.default}`;
  if (!found) await change(knex, `${add} add column ${identifier(column)} ${asked.type}, ${set}`);
  else if (found.default === null) await change(knex, `${add} ${set}`);
  await change(knex, renderFill({ table, column, key, batchSize }));
}

interface FoundColumn {
  readonly type: string;
  readonly default: string | null;
  /** It has its values from the server: GENERATED, as an expression or as an identity. */
  readonly generated: boolean;
}

async function readColumn(knex: Knex, { table, column }: AddColumnOptions): Promise<FoundColumn | undefined> {
  const [row] = await read<FoundColumn>(
    knex,
    `select pg_catalog.format_type(a.atttypid, a.atttypmod) as type, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default,
       a.attgenerated <> '' or a.attidentity <> '' as generated
     from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = pg_catalog.to_regclass(?)::oid and a.attname = ? and a.attnum > 0 and not a.attisdropped`,
    [sqlOf(table), column],
  );
  return row;
}

// A dead run leaves the column with its default, or nothing.
async function refuseOther(knex: Knex, asked: AddColumnOptions, found: FoundColumn): Promise<void> {
  const same =
    !found.generated &&
    (await isSameType(knex, [asked.type, found.type])) &&
    (found.default === null || (await isSameDefault(knex, found.type, [asked.default, found.default])));
  if (same) return;
  const is = `${found.type}${found.default === null ? '' : ` default ${found.default}`}`;
  throw new MigrationError(
    'EM_DDL_REFUSED',
    `${what}: ${sqlOf(asked.table)} has another column ${identifier(asked.column)} already: ${is}`,
    {
      remedy: 'Give the new column another name, or change the old one in a migration before this one. This call has changed nothing.',
    },
  );
}

async function readPrimaryKey(knex: Knex, table: TableName): Promise<readonly string[]> {
  const rows = await read<{ column: string }>(
    knex,
    `select a.attname as column from pg_catalog.pg_index i
     cross join pg_catalog.unnest(i.indkey::int2[]) with ordinality k (number, place)
     join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
     where i.indrelid = pg_catalog.to_regclass(?)::oid and i.indisprimary and k.place <= i.indnkeyatts order by k.place`,
    [sqlOf(table)],
  );
  return rows.map(({ column }) => column);
}

function withoutKey(table: TableName): MigrationError {
  return new MigrationError(
    'EM_DDL_REFUSED',
    `${what}: ${sqlOf(table)} is not there, or has no primary key in whose order it could be filled`,
    {
      remedy: 'Give the table a primary key first. Nothing was changed.',
    },
  );
}
