import type { MigrationsConfig } from '../config/index.js';
import { literal, qualified } from '../sql.js';
import type { Facts, History } from './read.js';

/** The tables of one history; the last two are there once a backfill was enqueued. Where no schema is configured and none is resolved yet, the names follow the search_path. */
export interface Tables {
  readonly schema: string | undefined;
  /** Unquoted names. */
  readonly names: {
    readonly history: string;
    readonly lock: string;
    readonly journal: string;
    readonly backfills: string;
    readonly aside: string;
  };
  /** Quoted, ready for SQL. */
  readonly history: string;
  readonly lock: string;
  readonly journal: string;
  /** What each backfill has come to. */
  readonly backfills: string;
  /** Rows that a backfill could not change, and has set aside. */
  readonly aside: string;
}

/** knex's names: `<tableName>` and `<tableName>_lock`; ours beside them: `<tableName>_journal`, `_backfills`, `_aside`. */
export function tablesOf({ tableName, schemaName }: Pick<MigrationsConfig, 'tableName' | 'schemaName'>): Tables {
  const names = {
    history: tableName,
    lock: `${tableName}_lock`,
    journal: `${tableName}_journal`,
    backfills: `${tableName}_backfills`,
    aside: `${tableName}_aside`,
  };
  return tablesIn(schemaName, names);
}

// The same tables in a schema.
function tablesIn(schema: string | undefined, names: Tables['names']): Tables {
  const quoted = Object.entries(names).map(([key, name]) => [key, qualified(schema, name)]);
  return { schema, names, ...(Object.fromEntries(quoted) as Record<keyof Tables['names'], string>) };
}

/** The schema of the history, as far as it is known: that of the option, else where new tables go; undefined where no schema of the search_path exists. */
export function schemaOf(tables: Tables, facts: Pick<Facts, 'schema'>): string | undefined {
  return tables.schema ?? facts.schema ?? undefined;
}

/** The tables with their schema written out, once the server has said which one it is; where there is none, names go on following the search_path. */
export function inSchema(tables: Tables, schema: string | undefined): Tables {
  return schema === undefined ? tables : tablesIn(schema, tables.names);
}

/** The same once a history was read. */
export function resolved({ tables, history }: { readonly tables: Tables; readonly history: Pick<History, 'facts'> }): Tables {
  return inSchema(tables, schemaOf(tables, history.facts));
}

/** All of them, quoted: what of a database is ours, and no migration's. */
export function ownTables(tables: Tables): readonly string[] {
  return (Object.keys(tables.names) as (keyof Tables['names'])[]).map((key) => tables[key]);
}

/**
 * Makes the tables where they are missing: the first two exactly as knex 3 makes them, the journal beside them.
 * One statement a line; run in one message under the advisory lock, and again on 23505, 42P07 and 42710, since knex may be making them too.
 */
export function renderCreateTables(tables: Tables): string {
  return [
    `create table if not exists ${tables.history} (id serial primary key, name varchar(255), batch integer, migration_time timestamptz);`,
    `create table if not exists ${tables.lock} (index serial primary key, is_locked integer);`,
    `create table if not exists ${tables.journal} (id bigint generated always as identity primary key, at timestamptz not null default clock_timestamp(), run uuid not null, kind text not null check (kind in ('attempt', 'statement', 'owner', 'stamp', 'repair', 'schema')), migration text, detail jsonb not null);`,
    `create unique index if not exists ${qualified(undefined, `${tables.names.journal}_o`)} on ${tables.journal} (kind) where kind = 'owner';`,
    `create index if not exists ${qualified(undefined, `${tables.names.journal}_m`)} on ${tables.journal} (migration, id);`,
  ].join('\n');
}

/**
 * The row that knex writes for an `up`; a stamped or baseline row has no batch, which knex's rollback leaves alone. In a script the batch is
 * a variable of psql.
 */
export function renderHistoryInsert(tables: Tables, name: string, batch: number | null | `:${string}`): string {
  const value = typeof batch === 'string' ? batch : literal(batch);
  return `insert into ${tables.history} (name, batch, migration_time) values (${literal(name)}, ${value}, clock_timestamp());`;
}

/** What knex does for a `down`. */
export function renderHistoryDelete(tables: Tables, name: string): string {
  return `delete from ${tables.history} where name::text = ${literal(name)};`;
}

/**
 * Forgets the backfills of a migration that is taken back, with what they had set aside. `condition` says which rows of theirs. One statement; their tables
 * need not be there.
 */
export function renderBackfillsDelete({ backfills, aside }: Tables, condition: string): string {
  const body = `begin
    if pg_catalog.to_regclass(${literal(backfills)}) is not null then
      delete from ${aside} where name in (select name from ${backfills} where ${condition});
      delete from ${backfills} where ${condition};
    end if; end`;
  return `do ${literal(body)};`;
}
