import { basename } from 'node:path';
import { isMigrationError, messageOf, type MigrationError } from '../errors.js';
import { fault, invalidMigrations } from './invalid.js';
import { lineAt, type SqlScript } from './migration.js';
import type { Node, ReindexStmt } from 'libpg-query';
import { errorPosition, parseSql, tryParseSql, type ParsedStatement } from './parser.js';
import { describeParsed } from './statement.js';

/** A statement that may not stand where it does. `statement` holds command words and names, no values. */
export interface Misplaced {
  readonly line: number;
  readonly statement: string;
}

/** One statement of a script, as it is sent. */
export interface ScriptStatement {
  readonly text: string;
  /** Characters of the file before it, as the server counts: `lineAt(script.text, offset + position)` is the line of a server's position. */
  readonly offset: number;
}

/** See index.ts. */
export async function splitSql(script: SqlScript): Promise<ScriptStatement[]> {
  try {
    return (await parseSql(script.text)).map(({ text, offset }) => ({ text, offset }));
  } catch (cause) {
    throw isMigrationError(cause) ? cause : unreadable(script, cause);
  }
}

/** See index.ts. */
export async function findTransactionControl(script: SqlScript): Promise<Misplaced | undefined> {
  return looksTransactional.test(script.text) ? await findStatement(script, ({ node }) => isTransactionControl(node)) : undefined;
}

/** See index.ts. */
export async function findNonTransactional(script: SqlScript): Promise<Misplaced | undefined> {
  return looksNonTransactional.test(script.text) ? await findStatement(script, isNonTransactional) : undefined;
}

// A statement begins at the start, after a semicolon, or after a comment that follows one of these. A PL/pgSQL body's `; end` matches
// too; then the parser decides.
const looksTransactional = /(?:^|;|\*\/|--[^\r\n]*[\r\n])\s*(?:begin|start|commit|end|rollback|abort|prepare)\b/i;
const looksNonTransactional = /\b(?:concurrently|vacuum|cluster|database|reindex|system|tablespace|discard)\b/i;

async function findStatement(script: SqlScript, matches: (statement: ParsedStatement) => boolean): Promise<Misplaced | undefined> {
  const statements = (await tryParseSql(script.text)) ?? [];
  const found = statements.find(matches);
  return found && { line: lineAt(script.text, found.offset + 1), statement: describeParsed([found]).summary };
}

const allowedInside = ['TRANS_STMT_SAVEPOINT', 'TRANS_STMT_RELEASE', 'TRANS_STMT_ROLLBACK_TO'];

/** Whether a statement begins or ends a transaction; savepoints do not. */
export function isTransactionControl(node: Node): boolean {
  return 'TransactionStmt' in node && !allowedInside.includes(node.TransactionStmt.kind ?? '');
}

const neverInside = ['CreatedbStmt', 'DropdbStmt', 'AlterSystemStmt', 'CreateTableSpaceStmt', 'DropTableSpaceStmt'];

function isNonTransactional({ node }: ParsedStatement): boolean {
  if ('IndexStmt' in node) return node.IndexStmt.concurrent === true;
  if ('DropStmt' in node) return node.DropStmt.concurrent === true;
  if ('VacuumStmt' in node) return node.VacuumStmt.is_vacuumcmd === true; // else it is ANALYZE
  if ('ClusterStmt' in node) return node.ClusterStmt.relation === undefined;
  if ('DiscardStmt' in node) return node.DiscardStmt.target === 'DISCARD_ALL';
  if ('ReindexStmt' in node) return isWideReindex(node.ReindexStmt);
  if ('AlterTableStmt' in node) return node.AlterTableStmt.cmds?.some(isConcurrentDetach) === true;
  if ('AlterDatabaseStmt' in node) return JSON.stringify(node.AlterDatabaseStmt.options ?? []).includes('"defname":"tablespace"');
  return neverInside.some((kind) => kind in node);
}

// Of a whole schema, database or system it cannot, since each of its tables gets a transaction of its own.
function isWideReindex({ kind, params = [] }: ReindexStmt): boolean {
  const concurrent = params.some((param) => 'DefElem' in param && param.DefElem.defname === 'concurrently');
  return concurrent || (kind !== 'REINDEX_OBJECT_INDEX' && kind !== 'REINDEX_OBJECT_TABLE');
}

function isConcurrentDetach(command: Node): boolean {
  const definition = 'AlterTableCmd' in command ? command.AlterTableCmd.def : undefined;
  return definition !== undefined && 'PartitionCmd' in definition && definition.PartitionCmd.concurrent === true;
}

function unreadable({ file, text }: SqlScript, cause: unknown): MigrationError {
  const position = errorPosition(cause);
  const line = position === undefined ? undefined : lineAt(text, position);
  const message = `it cannot be split into statements: ${messageOf(cause)}.`;
  const remedy = 'Correct the statement; put syntax that is newer than PostgreSQL 18 into a .js migration.';
  return invalidMigrations([fault({ code: 'migration-syntax', name: basename(file), file, line, message, remedy })], cause);
}
