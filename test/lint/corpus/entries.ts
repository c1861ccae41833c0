import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { major } from '../../support/majors.js';
import { migrationsIn, type ExampleMigration } from '../fixture.js';

/** One or several migrations, and whether they are dangerous on the tables of the corpus. */
export interface Entry {
  readonly id: string;
  readonly label: 'safe' | 'dangerous';
  /** The danger, or why there is none. The first word of those in {@link tracedDangers} is held against the trace. */
  readonly why: string;
  readonly migrations: readonly ExampleMigration[];
}

/** Dangers that show when it runs; the others (`destroys`, `breaks`, ...) are told by the statement alone. */
export const tracedDangers = ['scan', 'rewrite', 'index', 'waits', 'fails'] as const;

/** What there is before each entry, besides the tables of docs/lint.md. */
export const corpusSchema = read('schema.sql');

/** Those that the server of the suite can run: `-- # id: label, why`, then the migrations as in docs/lint.md. */
export function readEntries(): Entry[] {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.sql') && file !== 'schema.sql');
  const texts = files.sort().flatMap((file) =>
    read(file)
      .split(/^-- # /m)
      .slice(1),
  );
  return texts.filter(isOfThisMajor).map(readEntry);
}

function isOfThisMajor(text: string): boolean {
  return Number(/^-- since: (\d+)$/m.exec(text)?.[1] ?? 0) <= major;
}

function readEntry(text: string): Entry {
  const [, id = '', label = '', why = ''] = /^(\S+): (safe|dangerous), (.+)\n/.exec(text) ?? [];
  if (id === '') throw new Error(`not an entry: ${text}`);
  return { id, label: label as Entry['label'], why, migrations: migrationsIn(text.slice(text.indexOf('\n') + 1)) };
}

function read(file: string): string {
  return readFileSync(path.join(import.meta.dirname, file), 'utf8');
}
