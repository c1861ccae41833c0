import type { Session } from '../session/index.js';
import { identifier } from '../sql.js';
import { knexFor, StepConnection } from '../step/index.js';
import { ApplyFailed, ApplyTooSlow } from './failure.js';
import type { OpenRange } from './batch.js';
import type { Backfill, Batch, Row } from './definition.js';
import type { KeyColumn } from './key.js';
import { asInput, textOf } from './value.js';

interface Applying {
  readonly session: Session;
  readonly row: OpenRange;
  readonly rows: readonly Row[];
  readonly apply: NonNullable<Backfill['apply']>;
  readonly batch: Batch;
  readonly limitMs: number;
}

/** Hands the rows to the code, with a knex in the open transaction, and writes what comes back changed. Gives how many rows that are. */
export async function callApply(applying: Applying): Promise<number> {
  const { rows } = applying;
  const before = new Map(rows.map((row) => [keyOf(applying, row), textsOf(row)])); // as texts: it may change them in place
  const given = await inTransaction(applying);
  if (given === undefined || given === null) return rows.length;
  if (!Array.isArray(given)) throw new ApplyFailed(`apply gave ${typeof given}, not a list of rows`);
  const changes = given.map((row: unknown) => changeOf(applying, row, before)).filter(({ columns }) => columns.length > 0);
  for (const [columns, changed] of groupsOf(changes)) await write(applying, columns, changed);
  return changes.length;
}

// knex sends its own BEGIN and COMMIT, which the connection keeps to itself: the transaction is that of the batch.
async function inTransaction(applying: Applying): Promise<unknown> {
  const { session, batch } = applying;
  const connection = new StepConnection(session.wire, { transaction: 'transaction' });
  try {
    const knex = await knexFor(session, connection);
    const given: unknown = await knex.transaction(async (trx) => {
      try {
        const result = await withinLimit(applying, async ({ apply, rows }) => await apply([...rows], trx, batch));
        connection.end('closing', () => Promise.resolve());
        return result;
      } catch (error) {
        connection.end('failing');
        throw error;
      }
    });
    if (session.wire.status === 'E' && connection.failure) throw connection.failure.error; // it has caught that
    return given;
  } catch (error) {
    // What the server said, before knex has written the statement and its values into it.
    throw connection.broken ?? (connection.failure?.thrown === error ? connection.failure?.error : error);
  } finally {
    connection.close();
  }
}

// What waits for another service keeps its rows locked, and the server ends a session that is idle in a transaction.
async function withinLimit(applying: Applying, work: (applying: Applying) => Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ApplyTooSlow()), applying.limitMs);
  });
  try {
    return await Promise.race([work(applying), limit]);
  } finally {
    clearTimeout(timer);
  }
}

interface Change {
  readonly row: Row;
  readonly columns: readonly string[];
}

function keyOf({ row: { key } }: Applying, row: Row): string {
  return textOf(key.map(({ name }) => row[name]));
}

function textsOf(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)]));
}

function changeOf(applying: Applying, row: unknown, before: Map<string, Row>): Change {
  if (typeof row !== 'object' || row === null) throw new ApplyFailed('apply gave a list with something in it that is no row');
  const given = row as Row;
  const key = keyOf(applying, given);
  const old = before.get(key);
  if (!old) throw new ApplyFailed('apply gave a row whose key is of none that it was given, or gave one twice');
  before.delete(key);
  const columns = Object.keys(given).filter((name) => given[name] !== undefined && textOf(given[name]) !== old[name]);
  return { row: given, columns };
}

// Columns that stay as they are are not written: some cannot be (generated ones), and some have lost digits on their way here.
function groupsOf(changes: readonly Change[]): Iterable<[readonly string[], Row[]]> {
  const groups = new Map<string, [readonly string[], Row[]]>();
  for (const { row, columns } of changes) {
    const name = JSON.stringify([...columns].sort());
    const group = groups.get(name) ?? [columns, []];
    groups.set(name, group);
    group[1].push(row);
  }
  return groups.values();
}

async function write(applying: Applying, columns: readonly string[], rows: readonly Row[]): Promise<void> {
  const { session, row } = applying;
  const { relation, key } = row;
  const set = columns.map((name) => `${identifier(name)} = r.${identifier(name)}`);
  const same = key.map(({ name }) => `t.${identifier(name)} = r.${identifier(name)}`);
  const types = [...(await readTypes(applying, columns)), ...key];
  const written = rows.map((each) => Object.fromEntries(types.map(({ name }) => [name, asInput(each[name])])));
  const { results } = await session.send({
    text: `update ${relation} t set ${set.join(', ')} from pg_catalog.jsonb_to_recordset($1::jsonb)
      r (${types.map(({ name, type }) => `${identifier(name)} ${type}`).join(', ')}) where ${same.join(' and ')}`,
    values: [textOf(written)],
  });
  if (results[0]?.rowCount !== rows.length)
    throw new ApplyFailed('a row that apply gave is not there any more, or a trigger has kept it as it was');
}

// Asked for each batch: a type may be changed between two.
async function readTypes({ session, row: { relation } }: Applying, columns: readonly string[]): Promise<readonly KeyColumn[]> {
  const types = await session.query<KeyColumn>(
    `select attname::text as name, pg_catalog.format_type(atttypid, atttypmod) as type from pg_catalog.pg_attribute
     where attrelid = $1::pg_catalog.regclass::oid and attnum > 0 and not attisdropped and attname = any ($2)`,
    [relation, columns],
  );
  const unknown = columns.find((name) => !types.some((type) => type.name === name));
  if (unknown !== undefined) throw new ApplyFailed(`apply gave a column that ${relation} has not: ${unknown}`);
  return types;
}
