import type { Knex } from 'knex';
import type { MigrationModule } from '../config/index.js';

/** What a migration exports as `up`, `down` or `verify`. Called with knex bound to the one session, in or outside a transaction. */
export type MigrationCode = (knex: Knex) => unknown;

/** A migration written in SQL: the file's text as it stands (without a byte order mark), for statements, positions and messages. */
export interface SqlScript {
  readonly file: string;
  readonly text: string;
}

/** In characters: to parse a longer script would cost seconds, and several times its size in memory. */
export const parsedLength = 1_000_000;

/** What a migration says about itself: its export `config`, or the leading comments of a .sql file. */
export type MigrationSettings = NonNullable<MigrationModule['config']>;

/** What is known of a migration without importing it. */
export interface Listed {
  /** What the source calls it: the file name with its extension. */
  readonly name: string;
  /** What names are compared by: the name without .js .ts .mjs .cjs .mts .cts. A .sql name is its own id. */
  readonly id: string;
  /** Absolute path; undefined for in-memory modules and a migrationSource. */
  readonly file: string | undefined;
  /** `<extension>:<sha256>` of the normalised source, or `module:<value>`; undefined where nothing can be known. */
  readonly checksum: string | undefined;
  /** Of a squash: the migrations that it stands for, in their order. */
  readonly replaces?: readonly Replaced[] | undefined;
}

/** A migration that a squash stands for, as its leading comments have it. */
export interface Replaced {
  readonly name: string;
  readonly id: string;
  /** Of the file that was squashed. */
  readonly checksum: string | undefined;
  /** `all above`: it is a squash itself, and stands for all that are named before it. */
  readonly standsFor: 'itself' | 'all above';
}

/** One migration as listed: nothing of it has been imported or run. */
export interface Migration extends Listed {
  /** Imports it, once. Throws EM_MIGRATION_INVALID or EM_TYPESCRIPT_UNSUPPORTED. */
  load(): Promise<LoadedMigration>;
}

/** A migration whose code is at hand. */
export interface LoadedMigration extends Listed {
  readonly config: MigrationSettings;
  readonly up: MigrationCode | SqlScript;
  /** undefined where there is none; knex refuses a module without it. */
  readonly down: MigrationCode | SqlScript | undefined;
  /** Runs inside the migration's transaction and rolls it back when it throws. */
  readonly verify: MigrationCode | undefined;
  /** The export `backfills`, as it stands. */
  readonly backfills?: unknown;
  /** What knex would hand to its hooks: `{file, directory}`, or the source's own object. */
  readonly knexEntry: unknown;
}

const codeExtension = /\.[cm]?[jt]s$/;
const otherExtension = /\.(sql|co|coffee|eg|iced|litcoffee|ls)$/;

/** What two names of one migration have in common: .ts recorded in development and .js shipped are the same migration. */
export function migrationId(name: string): string {
  return name.replace(codeExtension, '');
}

/** The last extension of a file name, with its dot; like path.extname, which took ten times as long for a thousand names. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot) : '';
}

/** Makes a listed migration of what is known and of a way to load it; loads once, and keeps a failure too. */
export function migrationOf(listed: Listed, load: () => Promise<LoadedMigration>): Migration {
  let loading: Promise<LoadedMigration> | undefined;
  const { name, id, file, checksum, replaces } = listed;
  return { name, id, file, checksum, replaces, load: () => (loading ??= load()) };
}

/**
 * The name under which a migration is recorded: in the form that the history already uses for files of its extension (.ts, or none, where a build ships
 * .js). A kind of file that the history does not have yet keeps its own name, which knex looks for. Where no row of the history has a file any more, the one form
 * that all rows have. Pure.
 */
export function recordedName(name: string, applied: readonly string[], files: readonly string[]): string {
  if (otherExtension.test(name)) return name;
  const rows = applied.filter((row) => !otherExtension.test(row));
  const fileOf = new Map(files.map((file) => [migrationId(file), file]));
  const known = rows.filter((row) => fileOf.has(migrationId(row)));
  const alike = known.filter((row) => formOf(fileOf.get(migrationId(row)) ?? '') === formOf(name));
  const forms = new Set((known.length > 0 ? alike : rows).map(formOf));
  const [form] = forms;
  return forms.size === 1 ? migrationId(name) + form : name;
}

function formOf(name: string): string {
  return codeExtension.exec(name)?.[0] ?? '';
}

/** The line, from 1, of a position as the server and the parser give it: from 1, in characters. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  let seen = 0;
  for (const character of text) {
    if (++seen >= position) break;
    if (character === '\n') line++;
  }
  return line;
}

/** The first line of a file that a stack names, as `file:line`; the file alone where it names none. */
export function placeInStack(stack: string, file: string): string {
  const frame = stack.split('\n').find((line) => line.includes(file));
  const line = frame && /:(\d+):\d+\)?$/.exec(frame)?.[1];
  return line ? `${file}:${line}` : file;
}

const leadingComments = /^(?:\s*(?:--|\/\/)[^\n]*(?:\n|$))+/;
const replacesLine = /^\s*(?:--|\/\/)\s*replaces\s*:\s*(\S.*?)(?:\s+(\w+:[0-9a-f]{64}))?(\s+\(and all above\))?\s*$/gm;

/** Reads `-- replaces: <name> <checksum>`, one to a line, from the leading comments of a file. Pure. */
export function replacesIn(text: string): readonly Replaced[] | undefined {
  if (!text.includes('replaces')) return undefined; // nearly every file: then no expression is tried
  const lines = [...(leadingComments.exec(text)?.[0] ?? '').matchAll(replacesLine)];
  if (lines.length === 0) return undefined;
  return lines.map(([, name = '', checksum, above]) => ({
    name,
    id: migrationId(name),
    checksum,
    standsFor: above ? 'all above' : 'itself',
  }));
}

/** Writes such a line. */
export function renderReplaced({ name, checksum, standsFor }: Replaced): string {
  return ['-- replaces:', name, ...(checksum ? [checksum] : []), ...(standsFor === 'all above' ? ['(and all above)'] : [])].join(' ');
}
