import { StepConnection, type Session } from '../session/index.js';
import { identifier } from '../sql.js';
import type { OpenRange } from './batch.js';
import type { Backfill, Batch, Row } from './definition.js';

interface Applying {
  readonly session: Session;
  readonly row: OpenRange;
  readonly rows: readonly Row[];
  readonly apply: NonNullable<Backfill['apply']>;
  readonly batch: Batch;
}

/** What the code of a backfill threw, or gave: no value of a row is in the message. */
export class ApplyFailed extends Error {}

/** Hands the rows to the code, with a knex in the open transaction, and writes what comes back changed. Gives how many rows that are. */
export async function callApply(applying: Applying): Promise<number> {
  const { rows } = applying;
  const before = new Map(rows.map((row) => [keyOf(applying, row), row]));
  const given = await inTransaction(
    applying,
    rows.map((row) => ({ ...row })),
  );
  if (given === undefined || given === null) return rows.length;
  if (!Array.isArray(given)) throw new ApplyFailed(`apply gave ${typeof given}, not a list of rows`);
  const changes = given.map((row: unknown) => changeOf(applying, row, before)).filter(({ columns }) => columns.length > 0);
  for (const [columns, changed] of groupsOf(changes)) await write(applying, columns, changed);
  return changes.length;
}

// knex sends its own BEGIN and COMMIT, which the connection keeps to itself: the transaction is that of the batch.
async function inTransaction({ session, apply, batch }: Applying, rows: Row[]): Promise<unknown> {
  const connection = new StepConnection(session.wire, { transaction: 'transaction' });
  try {
    const knex = await session.knex(connection);
    const given: unknown = await knex.transaction(async (trx) => {
      try {
        const result = await apply(rows, trx, batch);
        connection.end('closing', () => Promise.resolve());
        return result;
      } catch (error) {
        connection.end('failing');
        throw error;
      }
    });
    if (connection.over) throw connection.over;
    if (session.wire.status === 'E' && connection.failure) throw connection.failure.thrown as Error; // it has caught that
    return given;
  } finally {
    connection.close();
  }
}

interface Change {
  readonly row: Row;
  readonly columns: readonly string[];
}

function keyOf({ row: { key } }: Applying, row: Row): string {
  return JSON.stringify(
    key.map(({ name }) => row[name]),
    asJson,
  );
}

function changeOf(applying: Applying, row: unknown, before: ReadonlyMap<string, Row>): Change {
  if (typeof row !== 'object' || row === null) throw new ApplyFailed('apply gave a list with something in it that is no row');
  const given = row as Row;
  const old = before.get(keyOf(applying, given));
  if (!old) throw new ApplyFailed('apply gave a row whose key is of none that it was given');
  const columns = Object.keys(given).filter((name) => given[name] !== undefined && textOf(given[name]) !== textOf(old[name]));
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

async function write({ session, row: { relation, key } }: Applying, columns: readonly string[], rows: readonly Row[]): Promise<void> {
  const set = columns.map((name) => `${identifier(name)} = r.${identifier(name)}`);
  const same = key.map(({ name }) => `t.${identifier(name)} = r.${identifier(name)}`);
  const names = new Set([...columns, ...key.map(({ name }) => name)]);
  const written = rows.map((row) => Object.fromEntries([...names].map((name) => [name, row[name]])));
  const { results } = await session.send({
    text: `update ${relation} t set ${set.join(', ')} from pg_catalog.jsonb_populate_recordset(null::${relation}, $1::jsonb) r where ${same.join(' and ')}`,
    values: [JSON.stringify(written, asJson)],
  });
  if (results[0]?.rowCount !== rows.length) throw new ApplyFailed('a row that apply gave is not there any more');
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, asJson);
}

// What JSON cannot say, as PostgreSQL reads it.
function asJson(this: unknown, name: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[name]; // a Buffer has become an object by its toJSON
  if (Buffer.isBuffer(raw)) return `\\x${raw.toString('hex')}`;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
