import { splitSql } from './source/index.js';

/** A migration: what makes the schema, and what takes it back. */
export interface BaselineScripts {
  readonly up: string;
  readonly down: string;
}

/**
 * Makes a migration of what `pg_dump --schema-only --no-owner --clean --if-exists` has written: each of its scripts runs in one transaction,
 * also beside other migrations in that transaction, and leaves the session as it was. Undefined where the dump makes nothing. Loads the SQL
 * parser; throws EM_MIGRATION_INVALID for a statement that it cannot read.
 *
 * Left out: what is for a session of its own (timeouts, encoding), comments of extensions, which only their owner may set, and user mappings,
 * which hold passwords. Materialized views are filled, since nobody can read one that is not. Extensions, and the schema of the history
 * (`keptSchema`), are not dropped: others stand on them.
 */
export async function renderBaseline(dump: string, { file, keptSchema, title }: Origin): Promise<BaselineScripts | undefined> {
  const statements = (await splitSql({ file, text: dump })).flatMap(({ text }) => rewritten(text.trim()) ?? []);
  const start = statements.findIndex((text) => !text.startsWith('set local ') && !isDrop.test(text));
  if (start < 0) return undefined;
  const down = statements.slice(0, start).filter((text) => !isKept(text, keptSchema));
  const up = [...statements.slice(0, start).filter((text) => !isDrop.test(text)), ...statements.slice(start)];
  const [, server] = /^-- Dumped from database version (\S+)/m.exec(dump) ?? [];
  const of = server === undefined ? '' : ` (PostgreSQL ${server})`;
  return {
    up: scriptOf(title ?? `-- The schema as it was when ensure-migrated adopted the database${of}.`, [...up, ...up.flatMap(refreshOf)]),
    down: scriptOf('-- Drops the whole schema of the baseline, with all rows.', down),
  };
}

export interface Origin {
  /** For what is said of the dump. */
  readonly file: string;
  /** As the server writes it, quoted where it must be. */
  readonly keptSchema: string | undefined;
  /** The comment at its top; default: that it is what was adopted. */
  readonly title?: string | undefined;
}

const savedSettings = ['search_path', 'check_function_bodies', 'xmloption', 'default_tablespace', 'default_table_access_method'];
const eachSetting = `pg_catalog.unnest('{${savedSettings.join(',')}}'::text[]) as name`;

// Behind a pooler, and with transaction: 'all', the next migration runs in the same transaction.
function scriptOf(title: string, statements: readonly string[]): string {
  const save = `select pg_catalog.set_config('ensure_migrated.' || name, pg_catalog.current_setting(name), true) from ${eachSetting}`;
  const empty = `select pg_catalog.set_config('search_path', '', true)`;
  const restore = `select pg_catalog.set_config(name, pg_catalog.current_setting('ensure_migrated.' || name), true) from ${eachSetting}`;
  return `${[`${title}\n\n${save}`, empty, ...statements, restore].join(';\n\n')};\n`;
}

const leftOut = /^(?:COMMENT ON EXTENSION|(?:CREATE|DROP) USER MAPPING|SELECT pg_catalog\.set_config\('search_path')/;

function rewritten(text: string): string | undefined {
  const [, setting, value] = /^SET (\w+) = (.*)$/s.exec(text) ?? [];
  if (setting !== undefined) return savedSettings.includes(setting) ? `set local ${setting} = ${value}` : undefined;
  if (leftOut.test(text)) return undefined;
  return text.replace(/^CREATE SCHEMA (?!IF NOT EXISTS)/, 'CREATE SCHEMA IF NOT EXISTS '); // that of the history is there already
}

// They stand before everything else. A view that others need is emptied by CREATE OR REPLACE before it goes.
const isDrop = /^(?:DROP |ALTER [^;]*? DROP |CREATE OR REPLACE VIEW )/;

function isKept(text: string, keptSchema: string | undefined): boolean {
  return text.startsWith('DROP EXTENSION ') || text === `DROP SCHEMA IF EXISTS ${keptSchema}`;
}

// In the order in which they were made: one may read another.
function refreshOf(text: string): string[] {
  const [, name] = /^CREATE MATERIALIZED VIEW ((?:"(?:[^"]|"")+"|[^\s".]+)\.(?:"(?:[^"]|"")+"|[^\s".]+))/.exec(text) ?? [];
  return name === undefined ? [] : [`REFRESH MATERIALIZED VIEW ${name}`];
}
