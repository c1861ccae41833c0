/** The migrations of the code: listed by name and checksum, imported only on need. The only door of this room. */
import type { EffectiveStatement } from './effect.js';
import type { SqlScript } from './migration.js';
import type { Dropped } from './dropped.js';
import type { KindLock } from './kind-locks.js';
import type { Misplaced, ScriptStatement } from './sql-script.js';
import type { ParsedStatement, Tokens } from './parser.js';
import type { StatementSummary } from './statement.js';

export type { Dropped } from './dropped.js';
export type { Effect, EffectiveStatement } from './effect.js';
export type { KindLock } from './kind-locks.js';
export { listFile } from './files.js';
export { listMigrations } from './list.js';
export { lineAt, migrationId, parsedLength, placeInStack, recordedName, renderReplaced } from './migration.js';
export type { LoadedMigration, Migration, MigrationCode, MigrationSettings, Replaced, SqlScript } from './migration.js';
export type { ParsedStatement, Tokens } from './parser.js';
export type { Misplaced, ScriptStatement } from './sql-script.js';
export type { StatementSummary } from './statement.js';

// What follows needs the SQL parser, or decides whether to: loaded on first use, since every module costs the up-to-date boot up to
// a millisecond.

/** Loads PostgreSQL's parser, which the others here do too. Throws EM_PARSER_MISSING. */
export async function loadParser(): Promise<void> {
  await (await import('./parser.js')).loadParser();
}

/**
 * Splits a script into its statements, each without its semicolon and the comments before it. Loads the parser (70 ms, once). Throws
 * EM_MIGRATION_INVALID with the line of what the parser cannot read.
 */
export async function splitSql(script: SqlScript): Promise<ScriptStatement[]> {
  return await (await import('./sql-script.js')).splitSql(script);
}

/**
 * The first statement that begins or ends a transaction (savepoints may). Loads the parser only for a script that looks like it; what
 * the parser cannot read (a newer server's syntax) is let through: the command tags tell afterwards.
 */
export async function findTransactionControl(script: SqlScript): Promise<Misplaced | undefined> {
  return await (await import('./sql-script.js')).findTransactionControl(script);
}

/** The first statement that PostgreSQL refuses inside a transaction, such as create index concurrently; found in the same way. */
export async function findNonTransactional(script: SqlScript): Promise<Misplaced | undefined> {
  return await (await import('./sql-script.js')).findNonTransactional(script);
}

/** Describes one statement for the journal, without any of its values. Loads the parser; what that cannot read is of kind `other`. */
export async function describeStatement(text: string): Promise<StatementSummary> {
  return await (await import('./statement.js')).describeStatement(text);
}

/** What with rows in it the statements of a text destroy. Loads the parser; gives nothing for a text that it cannot read. */
export async function findDropped(text: string): Promise<Dropped[]> {
  return await (await import('./dropped.js')).findDropped(text);
}

/**
 * What a statement that cannot run in a transaction block (CONCURRENTLY, VACUUM) locks by its kind, as the manual has it; undefined where the
 * statement alone does not tell. Loads the parser.
 */
export async function findKindLocks(text: string): Promise<KindLock[] | undefined> {
  return await (await import('./kind-locks.js')).findKindLocks(text);
}

/**
 * Splits a text into its statements and tells what each of them is to the database; undefined for what the parser cannot read. Loads the
 * parser.
 */
export async function splitByEffect(text: string): Promise<EffectiveStatement[] | undefined> {
  return await (await import('./effect.js')).splitByEffect(text);
}

/** Puts a text in the place of each parameter `$n`, by the server's own idea of what is one. Loads the parser. Throws what it cannot scan. */
export async function replaceParameters(text: string, replace: (number: number) => string): Promise<string> {
  return await (await import('./parameters.js')).replaceParameters(text, replace);
}

/** Parses a text by PostgreSQL's own grammar (version 18); undefined for what is beyond it. Loads the parser. */
export async function tryParseSql(text: string): Promise<ParsedStatement[] | undefined> {
  return await (await import('./parser.js')).tryParseSql(text);
}

/** Splits a text by PostgreSQL's own scanner into what somebody asks for. Loads the parser. Throws what it cannot scan. */
export async function readTokens(text: string): Promise<Tokens> {
  return await (await import('./parser.js')).readTokens(text);
}

/** Parses a DO block of PL/pgSQL; undefined for what is beyond its grammar. Loads the parser. */
export async function tryParsePlPgSql(text: string): Promise<unknown> {
  return await (await import('./parser.js')).tryParsePlPgSql(text);
}
