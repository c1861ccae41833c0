import { hostname, userInfo } from 'node:os';
import type { Call } from '../call.js';
import type { Session } from '../session/index.js';
import { jsonLiteral, literal, redact } from '../sql.js';
import type { Tables } from './tables.js';

/** What an attempt came to. `started` and `unfinished` are of migrations outside a transaction, and need to be settled. */
export type AttemptStatus = 'started' | 'done' | 'undone' | 'unfinished' | 'failed';

/** A journal row of kind `attempt`. Row values never get here: no SQL with literals, no `detail` of the server. */
export interface Attempt {
  readonly direction: 'up' | 'down';
  readonly status: AttemptStatus;
  readonly checksum?: string | undefined;
  readonly breaking?: boolean | undefined;
  readonly batch?: number;
  readonly durationMs?: number;
  readonly lockWaitMs?: number;
  readonly tries?: number;
  readonly statementCount?: number;
  readonly started?: string;
  readonly finished?: string;
  readonly sqlState?: string | undefined;
  readonly message?: string;
  /** On a stamp that adoption wrote: the migration had been applied before there was a journal. */
  readonly adopted?: boolean;
  /** On a stamp that could not be proved, or was disproved. */
  readonly force?: boolean;
  /** What the person who stamped gave as the reason. */
  readonly reason?: string | undefined;
  /** Who that was, by the account of the operating system. */
  readonly by?: string | undefined;
}

/** The one row of the journal that is updated: who migrates, or how the last run ended. */
export interface Owner {
  readonly state: 'active' | 'clear' | 'failed';
  readonly run: string;
  readonly pid: number;
  readonly host: string;
  readonly processId: number;
  readonly application: string;
  readonly since: string;
  readonly migration?: string;
  readonly step?: number;
  readonly of?: number;
  readonly errorCode?: string;
  /** xmin of knex's lock row as this run wrote it: whoever has written it since (`knex migrate:unlock`) has made it theirs. */
  readonly flag?: string;
  /** What was unsound (see verify) when the run began; kept until a run ends well. */
  readonly before?: unknown;
  /** Of the recorded checksums in the order of the history; lets an up-to-date boot compare without reading them. */
  readonly digest?: string;
  /** Applied migrations of which the journal has no checksum. */
  readonly unknown?: readonly string[];
}

/** What the journal last said of one migration. */
export interface JournalEntry {
  readonly migration: string;
  readonly kind: 'attempt' | 'stamp' | 'repair';
  readonly run: string;
  readonly at: Date;
  readonly detail: Attempt;
}

/** A statement that a migration outside a transaction was about to send. */
export interface StatementEntry {
  readonly number: number;
  readonly summary: string;
  readonly kind: string;
  readonly index?: { readonly schema?: string; readonly name: string; readonly table?: string };
  /** Of the text, where the migration was the one to build or drop the index: only the same statement may find its work done. */
  readonly hash?: string | undefined;
  /** Set once the server has refused it: it left nothing behind but, maybe, an invalid index. */
  readonly failed?: boolean;
}

/** A statement as the journal has it. */
export interface SentStatement extends StatementEntry {
  readonly run: string;
}

/** The last word on each migration. Failed attempts inside a transaction left nothing behind, so they do not count. */
export async function readJournal(session: Session, tables: Tables): Promise<JournalEntry[]> {
  return await session.query<JournalEntry>(
    `select distinct on (migration) migration, kind, run, at, detail from ${tables.journal}
     where kind in ('attempt', 'stamp', 'repair') and migration is not null and detail ->> 'status' <> 'failed'
     order by migration, id desc`,
  );
}

/** A row of the history, and the last word of the journal on it that is not a failure, if there is one. */
export interface AppliedRow {
  readonly name: string;
  readonly batch: number | null;
  readonly at: Date | null;
  readonly entry: (Pick<JournalEntry, 'kind' | 'run'> & { readonly detail: RecordedAttempt }) | null;
}

/** An attempt as the journal has it: also who made it. */
export interface RecordedAttempt extends Attempt {
  readonly application?: string;
  readonly version?: string;
  readonly environment?: string;
  readonly host?: string;
  readonly pid?: number;
  /** On a row of kind `repair`: who has made it so, and why. All else is of the attempt itself. */
  readonly repair?: RepairNote;
}

/** What goes on record of a repair. */
export interface RepairNote {
  readonly action: string;
  readonly reason: string;
  /** The user of the operating system. */
  readonly user: string;
  readonly host: string;
  readonly application: string;
  readonly version?: string | undefined;
  readonly environment: string | undefined;
}

/** The history with what the journal says of each of its rows, in the order in which they ran. One round trip; writes nothing. */
export async function readApplied(session: Session, tables: Tables, journal: 'known' | 'absent' | 'denied'): Promise<AppliedRow[]> {
  const latest =
    journal === 'known'
      ? `select distinct on (migration) migration, pg_catalog.jsonb_build_object('kind', kind, 'run', run, 'detail', detail) as entry
         from ${tables.journal} where kind in ('attempt', 'stamp', 'repair') and detail ->> 'status' <> 'failed' order by migration, id desc`
      : 'select null::text as migration, null::jsonb as entry';
  return await session.query<AppliedRow>(
    `select h.name, h.batch, h.migration_time as at, j.entry from ${tables.history} h left join (${latest}) j on j.migration = h.name
     order by h.id`,
  );
}

/** What a migration has sent since it was last settled, in order; a run that resumed it, and died too, has not sent all of it again. */
export async function readStatements(session: Session, tables: Tables, migration: string): Promise<SentStatement[]> {
  const rows = await session.query<{ run: string; detail: StatementEntry }>(
    `select run, detail from ${tables.journal} where kind = 'statement' and migration = $1 and id > coalesce((
       select max(id) from ${tables.journal} where migration = $1
       and (kind in ('stamp', 'repair') or (kind = 'attempt' and detail ->> 'status' in ('done', 'undone')))), 0)
     order by id`,
    [migration],
  );
  return rows.map(({ run, detail }) => ({ ...detail, run }));
}

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
  'durationMs', (extract(epoch from pg_catalog.clock_timestamp() - ${began}) * 1000)::int)`;
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
    user: userName(),
    host: hostname(),
    application: application.name,
    version: application.version,
    environment,
  };
  return renderRow(writing, { kind: 'repair', migration: repaired.migration ?? null, detail: { ...repaired.attempt, repair } });
}

// A container can run as a user that has no name.
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

export function renderStamp(writing: Writing, migration: string, detail: Attempt): string {
  const reason = detail.reason === undefined ? {} : { reason: redact(detail.reason) };
  return renderRow(writing, { kind: 'stamp', migration, detail: { ...detail, ...reason, ...whoOf(writing) } });
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
