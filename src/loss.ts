import type { Call } from './call.js';
import { captureMigration } from './capture/index.js';
import { sqlStateOf } from './errors.js';
import type { Finding } from './finding.js';
import type { Step } from './plan.js';
import { renderSettings, type Session } from './session/index.js';
import { findDropped, type Dropped } from './source/index.js';
import { identifier, qualified } from './sql.js';

/**
 * What taking these migrations back would destroy: their `down` is captured, not run, and the rows are counted that stand where it drops
 * something. Reads only; a `down` that cannot be told beforehand is a finding too. Throws EM_ABORTED, EM_LOST_SESSION.
 */
export async function describeLoss(place: { readonly call: Call; readonly session: Session }, steps: readonly Step[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, step] of steps.entries()) findings.push(...(await describeStep(place, step, index === 0 ? 'nothing' : 'changes')));
  return findings;
}

async function describeStep(
  { call, session }: Parameters<typeof describeLoss>[0],
  { name, migration, code, transaction }: Step,
  after: 'nothing' | 'changes',
): Promise<Finding[]> {
  const { statements, exactness, reason } = await captureMigration({ call, migration, code, transaction, reads: { session, after } });
  const losses = await readLoss(
    session,
    statements.map(({ sql }) => sql),
  );
  const unknown =
    exactness === 'opaque' ? [lossFinding(name, `what the down of ${name} destroys cannot be told beforehand: ${reason}`)] : [];
  return [...losses.map((loss) => lossFinding(name, `the down of ${name} destroys ${sentenceOf(loss)}`)), ...unknown];
}

function lossFinding(migration: string, message: string): Finding {
  return {
    code: 'downgrade-loss',
    level: 'warn',
    message,
    remedy: 'Back the database up first, if these rows may be needed.',
    at: { migration },
  };
}

function sentenceOf({ what, rowCount, estimated }: Loss): string {
  const count = `${estimated ? 'about ' : ''}${rowCount} ${rowCount === 1 ? 'row' : 'rows'}`;
  return what.startsWith('rows of ') ? `up to ${count} of ${what.slice('rows of '.length)}` : `${what} with ${count}`;
}

/** Rows that would be destroyed, and where. */
export interface Loss {
  /** `table "public"."orders"`, `column "public"."orders"."total"`, `rows of "public"."orders"`. */
  readonly what: string;
  readonly rowCount: number;
  /** The count is the server's estimate, since the table is large or locked, or this role may not read it. */
  readonly estimated: boolean;
}

/** Above so many pages of 8 kB (80 MB) rows are estimated and not counted. */
const countedPages = 10_000;

/**
 * What these statements would destroy, as far as rows are there now: in tables and columns that they drop, in tables that they empty. Reads only;
 * counts what is small, and takes the server's estimate for what is large. Tables that are not there are passed over.
 */
export async function readLoss(session: Session, statements: readonly string[]): Promise<Loss[]> {
  const dropped = (await Promise.all(statements.map(async (text) => await findDropped(text)))).flat();
  const places = new Map<string, Place>();
  for (const each of dropped) for (const place of await readPlaces(session, each)) places.set(JSON.stringify(place), place);
  const losses: Loss[] = [];
  for (const place of places.values()) losses.push(await readRows(session, place));
  return losses.filter(({ rowCount }) => rowCount > 0);
}

interface Place {
  readonly kind: Dropped['kind'];
  readonly schema: string;
  readonly table: string;
  readonly column: string | null;
  readonly pages: number;
  readonly readable: boolean;
  readonly estimate: number;
}

// The tables that a name means: by the search_path where it names no schema; all of a schema. Partitions count with their parent.
async function readPlaces(session: Session, { kind, schema, table, column }: Dropped): Promise<Place[]> {
  const name = table === undefined ? null : qualified(schema, table);
  return await session.query<Place>(
    `with recursive tables as (
       select c.oid, n.nspname, c.relname, c.relkind from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and not c.relispartition
         and (c.oid = pg_catalog.to_regclass($1)::oid or ($1::text is null and n.nspname = $2))
     ), parts as (
       select t.oid as root, t.oid from tables t union all select p.root, i.inhrelid from parts p join pg_catalog.pg_inherits i on i.inhparent = p.oid
     )
     select $3::text as kind, t.nspname as schema, t.relname as table, $4::text as column, pg_catalog.has_table_privilege(t.oid, 'select') as readable,
       (select coalesce(sum(c.relpages), 0) from parts p join pg_catalog.pg_class c on c.oid = p.oid where p.root = t.oid and c.relkind = 'r')::float8 as pages,
       (select coalesce(sum(greatest(c.reltuples, '0')), 0) from parts p join pg_catalog.pg_class c on c.oid = p.oid where p.root = t.oid and c.relkind = 'r')::float8 as estimate
     from tables t
     where $4::text is null or exists (select from pg_catalog.pg_attribute where attrelid = t.oid and attname = $4 and not attisdropped)`,
    [name, schema ?? null, kind, column ?? null],
  );
}

async function readRows(session: Session, { kind, schema, table, column, pages, readable, estimate }: Place): Promise<Loss> {
  const name = qualified(schema, table);
  const what = kind === 'rows' ? `rows of ${name}` : column === null ? `table ${name}` : `column ${name}.${identifier(column)}`;
  if (pages > countedPages || !readable) return { what, rowCount: Math.round(estimate), estimated: true };
  const filled = column === null ? '*' : identifier(column);
  const count = await countRows(session, name, filled);
  return count === 'locked' ? { what, rowCount: Math.round(estimate), estimated: true } : { what, rowCount: count, estimated: false };
}

// In a transaction of its own, for a bound on the wait: nobody has been told yet that there is one.
async function countRows(session: Session, table: string, filled: string): Promise<number | 'locked'> {
  const count = `select pg_catalog.count(${filled})::float8 as count from ${table};`;
  try {
    const { results } = await session.send(`begin read only; ${renderSettings([['lock_timeout', '1000']], 'local')} ${count} commit;`);
    return (results[2]?.rows[0] as { count: number }).count;
  } catch (error) {
    if (!session.wire.lost) await session.send('rollback');
    if (sqlStateOf(error) === '55P03') return 'locked';
    if (/^(42P01|42703|3F000)$/.test(sqlStateOf(error) ?? '')) return 0; // dropped meanwhile, by another downgrade maybe
    throw error;
  }
}
