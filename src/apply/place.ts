import type { Failure } from '../session/index.js';
import type { Step } from '../plan.js';
import { lineAt, splitSql, type SqlScript } from '../source/index.js';

/** Where a migration failed: its file with the line, as far as it is known, and the statement. */
export interface FailedAt {
  readonly place: string | undefined;
  readonly statement: string | undefined;
}

/** Finds the line of a failure. In a script it is that of the failing statement, or of the server's position in it; loads the parser for that. */
export async function placeOf({ migration: { file }, code }: Step, error: unknown, failure: Failure | undefined): Promise<FailedAt> {
  if (file === undefined) return { place: undefined, statement: failure?.text };
  if (typeof code !== 'function') return failure ? await placeInScript(code, failure) : { place: file, statement: undefined };
  // The frame of the migration that built the query: knex keeps the stack of the builder (asyncStackTraces).
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => line.includes(file));
  const line = frame && /:(\d+):\d+\)?$/.exec(frame)?.[1];
  return { place: line ? `${file}:${line}` : file, statement: failure?.text };
}

// One message holds the whole script: the tags that came back, or the position, tell which of its statements failed.
async function placeInScript(script: SqlScript, { error, doneCount, offset }: Failure): Promise<FailedAt> {
  const { position } = error as { position?: string };
  const at = position === undefined ? undefined : offset + Number(position);
  const statements = await splitSql(script).catch(() => []); // a syntax error: its line has to do
  const failed =
    at === undefined
      ? statements.filter((statement) => statement.offset >= offset)[doneCount]
      : statements.findLast((statement) => statement.offset < at);
  const start = at ?? (failed ? failed.offset + 1 : offset + 1);
  const line = lineAt(script.text, start);
  return { place: `${script.file}:${line}`, statement: failed?.text ?? script.text.split('\n')[line - 1] };
}
