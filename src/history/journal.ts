import type { Session } from '../session/index.js';
import { migrationId } from '../source/index.js';
import { literal } from '../sql.js';
import type { Tables } from './tables.js';
import { checkedAttempt, checkedStatement } from './shape.js';
import { aboutHistory } from './unreadable.js';

/** What an attempt came to. `started` and `unfinished` are of migrations outside a transaction, and need to be settled. */
export type AttemptStatus = 'started' | 'done' | 'undone' | 'unfinished' | 'failed';

/** A journal row of kind `attempt`. Row values never get here: no SQL with literals, no `detail` of the server. */
export interface Attempt {
  readonly direction: 'up' | 'down';
  readonly status: AttemptStatus;
  readonly checksum?: string | undefined;
  readonly breaking?: boolean | undefined;
  /** Why, as the lint saw it; also where its author says that older code can live with it. */
  readonly breaks?: readonly string[];
  /** The rules of the lint that were not looked for, with the reasons. */
  readonly safe?: Readonly<Record<string, string>>;
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
  const rows = await ask<JournalEntry>(
    { session, tables },
    `select distinct on (migration) migration, kind, run, at, detail from ${tables.journal}
     where kind in ('attempt', 'stamp', 'repair') and migration is not null and detail ->> 'status'::text <> 'failed'
     order by migration, id desc`,
  );
  return rows.map(checkedAttempt);
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
         from ${tables.journal} where kind in ('attempt', 'stamp', 'repair') and detail ->> 'status'::text <> 'failed' order by migration, id desc`
      : 'select null::text as migration, null::jsonb as entry';
  const rows = await ask<AppliedRow>(
    { session, tables },
    `select h.name, h.batch, h.migration_time as at, j.entry from ${tables.history} h left join (${latest}) j on j.migration = h.name::text
     where h.name is not null order by h.id`,
  );
  for (const { name, entry } of rows) if (entry) checkedAttempt({ migration: name, detail: entry.detail });
  return rows;
}

/** The attempts at one migration that have failed, and taken back what they had done. */
export interface FailedAttempts {
  readonly count: number;
  /** When the last of them failed, in which direction, and why; without a value of any row. */
  readonly at: Date;
  readonly direction: Attempt['direction'];
  readonly sqlState: string | undefined;
  readonly message: string | undefined;
}

/** The failed attempts at each migration, by its id. One round trip; writes nothing. */
export async function readFailedAttempts(session: Session, tables: Tables): Promise<ReadonlyMap<string, FailedAttempts>> {
  const rows = await ask<{ migration: string; count: number; at: Date; detail: Attempt }>(
    { session, tables },
    `select distinct on (migration) migration, pg_catalog.count(*) over (partition by migration)::int as count, at, detail from ${tables.journal}
     where kind = 'attempt' and detail ->> 'status'::text = 'failed' order by migration, id desc`,
  );
  const told = ({ count, at, detail: { direction, sqlState, message } }: (typeof rows)[number]) =>
    Object.freeze({ count, at, direction, sqlState, message });
  return new Map(rows.map((row) => [migrationId(row.migration), told(row)]));
}

/** What a migration has sent since it was last settled, in order; a run that resumed it, and died too, has not sent all of it again. */
export async function readStatements(session: Session, tables: Tables, migration: string): Promise<SentStatement[]> {
  const name = literal(migration);
  const rows = await ask<{ run: string; detail: StatementEntry }>(
    { session, tables },
    `select run, detail from ${tables.journal} where kind = 'statement' and migration = ${name} and id > coalesce((
       select max(id) from ${tables.journal} where migration = ${name}
       and (kind in ('stamp', 'repair') or (kind = 'attempt' and detail ->> 'status'::text in ('done', 'undone')))), 0)
     order by id`,
  );
  return rows.map((row) => checkedStatement(row, migration)).map(({ run, detail }) => ({ ...detail, run }));
}

// Waits for a table that somebody has locked no longer than readHistory() does, and throws as that does.
async function ask<Row>(reading: { readonly session: Session; readonly tables: Tables }, text: string): Promise<Row[]> {
  return await aboutHistory(reading, reading.session.query<Row>(`${reading.session.renderOwn()} ${text}`));
}
