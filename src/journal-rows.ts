import { createHash } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Call } from './call.js';
import type { Attempt, Owner, RepairNote, StatementEntry, Tables } from './history/index.js';
import { jsonLiteral, literal, redact } from './sql.js';

/** Where a row goes, and in which run. */
interface Writing {
  readonly tables: Tables;
  readonly call: Call;
}

export function renderAttempt(writing: Writing, migration: string, attempt: Attempt): string {
  return renderRow(writing, { kind: 'attempt', migration, detail: signed(writing, attempt) });
}

/** For a row that travels in the very message whose work it records: the server adds when that began and ended, and how long it took. */
export function renderMeasuredAttempt(writing: Writing, migration: string, attempt: Attempt): string {
  return renderRow(writing, { kind: 'attempt', migration, detail: signed(writing, attempt), measured: serverTimes });
}

/**
 * For a script that somebody else runs: by whom and when is known only there. `batch` is an expression. `measured`: the transaction of the row
 * began with the migration, so that the server can tell how long it took.
 */
export function renderScriptedAttempt(
  writing: Writing,
  migration: string,
  { batch, measured, ...attempt }: Omit<Attempt, 'batch'> & { readonly batch: string; readonly measured: 'measured' | 'unmeasured' },
): string {
  const { host: _1, pid: _2, ...who } = whoOf(writing);
  const times = measured === 'measured' ? ` || ${transactionTimes}` : '';
  const added = `pg_catalog.jsonb_build_object('batch', ${batch})${times}`;
  return renderRow(writing, { kind: 'attempt', migration, detail: { ...attempt, ...who }, measured: added });
}

function signed(writing: Writing, attempt: Attempt): object {
  const message = attempt.message === undefined ? {} : { message: redact(attempt.message) };
  return { ...attempt, ...message, ...whoOf(writing) };
}

function whoOf({ call: { config } }: Writing) {
  const { application, environment } = config;
  return { application: application.name, version: application.version, environment, host: hostname(), pid: process.pid };
}

// statement_timestamp() is when the message arrived. Both in the form of Date.toISOString().
const isoFormat = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const timesSince = (began: string) => `pg_catalog.jsonb_build_object(
  'started', pg_catalog.to_char(${began} at time zone 'UTC', ${isoFormat}),
  'finished', pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', ${isoFormat}),
  'durationMs', (extract(epoch from pg_catalog.clock_timestamp() - ${began}) * 1000::numeric)::int)`;
const serverTimes = timesSince('pg_catalog.statement_timestamp()');
const transactionTimes = timesSince('pg_catalog.transaction_timestamp()');

/** What a person decided: `attempt` is what counts of the migration from now on; without one it is about no migration (a lock). */
export function renderRepair(
  writing: Writing,
  repaired: { migration?: string; attempt?: Attempt },
  why: Pick<RepairNote, 'action' | 'reason'>,
): string {
  const { application, environment } = writing.call.config;
  const repair: RepairNote = {
    ...why,
    reason: redact(why.reason),
    user: accountName() ?? `uid ${process.getuid?.() ?? 'unknown'}`,
    host: hostname(),
    application: application.name,
    version: application.version,
    environment,
  };
  return renderRow(writing, { kind: 'repair', migration: repaired.migration ?? null, detail: { ...repaired.attempt, repair } });
}

/** The operating system's name of who runs this; undefined for a user without one, as a container's may be. */
export function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

export function renderStamp(writing: Writing, migration: string, detail: Attempt): string {
  const reason = detail.reason === undefined ? {} : { reason: redact(detail.reason) };
  return renderRow(writing, { kind: 'stamp', migration, detail: { ...detail, ...reason, ...whoOf(writing) } });
}

/** Of a statement that makes or drops an index: by this hash the next boot knows it again, and adopts what it has done. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text.trim()).digest('hex');
}

export function renderStatement(writing: Writing, migration: string, detail: StatementEntry): string {
  return renderRow(writing, { kind: 'statement', migration, detail });
}

/** One row per run of what the schema looks like afterwards, for drift. */
export function renderSchema(writing: Writing, detail: object): string {
  return renderRow(writing, { kind: 'schema', migration: null, detail });
}

export function renderOwner(tables: Tables, owner: Owner): string {
  return `insert into ${tables.journal} (run, kind, detail) values (${literal(owner.run)}, 'owner', ${jsonLiteral(owner)})
    on conflict (kind) where kind = 'owner' do update set at = clock_timestamp(), run = excluded.run, detail = excluded.detail;`;
}

interface Row {
  readonly kind: 'attempt' | 'stamp' | 'statement' | 'schema' | 'repair';
  readonly migration: string | null;
  readonly detail: object;
  /** An expression of more of it. */
  readonly measured?: string;
}

function renderRow({ tables, call }: Writing, { kind, migration, detail, measured }: Row): string {
  const all = measured === undefined ? jsonLiteral(detail) : `${jsonLiteral(detail)} || ${measured}`;
  return `insert into ${tables.journal} (run, kind, migration, detail) values (${literal(call.id)}, ${literal(kind)}, ${literal(migration)}, ${all});`;
}
