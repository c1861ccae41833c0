import { lineAt, parsedLength, placeInStack, splitSql, type MigrationCode, type ScriptStatement, type SqlScript } from '../source/index.js';
import type { Failure } from '../step/index.js';

/** Where a migration failed: its file with the line, as far as it is known, and the statement. */
export interface FailedAt {
  readonly place: string | undefined;
  readonly statement: string | undefined;
}

/** What failed, or stands for it. */
interface Code {
  readonly migration: { readonly file: string | undefined };
  readonly code: MigrationCode | SqlScript;
}

/**
 * Finds the line of a failure. In a script it is that of the failing statement, or of the server's position in it; loads the parser for that,
 * unless the script is too long: then there is the line of the position, or the number of the statement.
 */
export async function placeOf({ migration: { file }, code }: Code, error: unknown, failure: Failure | undefined): Promise<FailedAt> {
  if (file === undefined) return { place: undefined, statement: failure?.text };
  if (typeof code !== 'function') return failure ? await placeInScript(code, failure) : { place: file, statement: undefined };
  // The frame of the migration that built the query: knex keeps the stack of the builder (asyncStackTraces).
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return { place: placeInStack(stack, file), statement: failure?.text };
}

async function placeInScript(script: SqlScript, failure: Failure): Promise<FailedAt> {
  const { file, text } = script;
  const { position } = failure.error as { position?: string };
  const at = position === undefined ? undefined : failure.offset + Number(position);
  const failed = await failedStatement(script, failure, at);
  const start = at ?? (failed && failed.offset + 1);
  if (start === undefined) return { place: `${file}, statement ${failure.doneCount + 1} of it`, statement: undefined };
  const line = lineAt(text, start);
  return { place: `${file}:${line}`, statement: failed?.text ?? text.split('\n')[line - 1] };
}

// Outside a transaction each statement is sent by itself. Else one message holds the whole script: the tags that came back, or the position,
// tell which of its statements failed.
async function failedStatement(script: SqlScript, failure: Failure, at: number | undefined): Promise<ScriptStatement | undefined> {
  const { text, offset, doneCount } = failure;
  if (text.length < script.text.length) return { text, offset };
  if (script.text.length > parsedLength) return undefined;
  const statements = await splitSql(script).catch(() => []); // a syntax error: its line has to do
  return at === undefined ? statements[doneCount] : statements.findLast((statement) => statement.offset < at);
}
