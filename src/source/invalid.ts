import { MigrationError, messageOf } from '../errors.js';
import type { Finding } from '../finding.js';
import { redact } from '../sql.js';

interface Fault {
  readonly code: `migration-${string}`;
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly message: string;
  readonly remedy: string;
}

/** A finding about one migration of the code. Its texts are masked, since a module may throw anything while it is imported. */
export function fault({ code, name, file, line, message, remedy }: Fault): Finding {
  const at = { migration: name, ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
  return { code, level: 'error', message: redact(message), remedy, at };
}

/** The error for migrations that cannot be used as they stand; the caller throws it. All findings are in its message. */
export function invalidMigrations(findings: readonly Finding[], cause?: unknown): MigrationError {
  const lines = findings.map((finding) => `${placeOf(finding)}: ${finding.message} ${finding.remedy}`);
  const message = lines.length === 1 ? lines.join() : `${lines.length} faults in the migrations:\n  ${lines.join('\n  ')}`;
  return new MigrationError('EM_MIGRATION_INVALID', message, { findings, ...(cause !== undefined && { cause }) });
}

/** The error for one migration that failed to load, with the line in its own file where the error says it. */
export function loadFailure(place: { name: string; file?: string | undefined }, cause: unknown): MigrationError {
  const line = place.file === undefined ? undefined : lineIn(cause, place.file);
  const message = `it cannot be loaded: ${messageOf(cause)}.`;
  return invalidMigrations(
    [fault({ code: 'migration-load', ...place, line, message, remedy: 'Correct what its import failed on.' })],
    cause,
  );
}

function placeOf({ at }: Finding): string {
  const where = at?.file ?? at?.migration ?? 'migrations';
  return at?.line === undefined ? where : `${where}:${at.line}`;
}

// Syntax errors of CommonJS and TypeScript, esbuild's errors and stack frames all write <path>:<line>, with or without file://.
// Node says no line for a syntax error in an ES module; then there is none here.
function lineIn(error: unknown, file: string): number | undefined {
  const text = error instanceof Error ? `${error.message}\n${error.stack}` : '';
  const found = [file, encodeURI(file)].map((path) => new RegExp(`${escape(path)}(?:\\?[^:\\s]*)?:(\\d+)`).exec(text)).find(Boolean);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
