import { readMigrations, type GivenMigrations, type MigrationsConfig, type MigrationsInput } from './migrations.js';
import { record, refuse, shown, suggestion, texts, within, type Place, type Reader } from './values.js';

/** Migrations that a package brings, with a history of their own. What such a package exports. */
export interface Stream {
  /**
   * Letters, digits, `_` and `-`. Errors, events and the command line call it so, and its history table is `<name>_migrations`.
   * @pattern ^(?!main$)[A-Za-z0-9_-]{1,40}$
   */
  readonly name: string;
  /** As the option of that name, for a package by a file URL of its own (`new URL('./migrations', import.meta.url)`), or `modules` in a bundle. */
  readonly migrations: string | URL | readonly (string | URL)[] | MigrationsInput;
  /** What has to be there before its first migration: `core`, all of that stream, or `core@20260101_users`, that stream up to there. */
  readonly after?: readonly string[] | undefined;
}

/** A stream, resolved. */
export interface StreamSettings {
  readonly name: string;
  readonly migrations: Partial<GivenMigrations> & Pick<GivenMigrations, 'tableName'>;
  readonly after: readonly After[];
}

/** The end of a stream, or a revision of it. */
export interface After {
  readonly stream: string;
  readonly revision: string | undefined;
}

/** What the migrations of the application itself are called among the streams. */
export const mainStream = 'main';

interface GivenStream {
  readonly name: string;
  readonly migrations: Partial<GivenMigrations>;
  readonly after: readonly string[];
}

/** Reads the list of streams, each by itself; {@link conflictsOfStreams} holds them against each other. */
export function readStreams(value: unknown, place: Place): readonly StreamSettings[] | undefined {
  if (!Array.isArray(value)) return refuse(place, 'a list of { name, migrations, after }', shown(value));
  const streams = value.map((each, index) => readStream(each, within(place, String(index))));
  return Object.freeze(streams.filter((stream) => stream !== undefined));
}

function readStream(value: unknown, place: Place): StreamSettings | undefined {
  const given = record<GivenStream>({ name: readName, migrations: readMigrations, after: texts })(value, place);
  if (given === undefined) return undefined;
  for (const key of ['name', 'migrations'] as const) {
    if ((value as Partial<GivenStream>)[key] === undefined) refuse(within(place, key), 'a value', 'nothing');
  }
  const { name, migrations, after = [] } = given;
  if (name === undefined || migrations === undefined) return undefined;
  const settled = Object.freeze({ tableName: `${name}_migrations`, ...migrations });
  return Object.freeze({ name, migrations: settled, after: Object.freeze(after.map(afterOf)) });
}

// With "_migrations" behind it, it has to fit where a tableName does.
const readName: Reader<string> = (value, place) =>
  typeof value === 'string' && /^[a-z0-9_-]{1,40}$/i.test(value) && value !== mainStream
    ? value
    : refuse(place, `a name other than "${mainStream}", of at most 40 letters, digits, _ and -`, shown(value));

function afterOf(text: string): After {
  const at = text.indexOf('@');
  return at < 0 ? { stream: text, revision: undefined } : { stream: text.slice(0, at), revision: text.slice(at + 1) };
}

/** What is wrong with streams beside each other, and beside the application's own migrations; one problem a line. */
export function conflictsOfStreams(streams: readonly StreamSettings[] | undefined, main: MigrationsConfig): string[] {
  if (streams === undefined) return [];
  const problems: string[] = [];
  const names = [mainStream, ...streams.map(({ name }) => name)];
  const tables = [main, ...streams.map(({ migrations }) => migrations)].map(({ schemaName = main.schemaName, tableName }) =>
    [schemaName, tableName].filter((part) => part !== undefined).join('.'),
  );
  for (const [index, { name, after }] of streams.entries()) {
    const place = { path: `streams.${name}`, problems };
    if (names.indexOf(name) <= index) refuse(place, 'a name of its own', `${shown(name)} twice`);
    const other = tables.slice(0, index + 1).findIndex((table) => isShared(table, tables[index + 1] as string));
    if (other >= 0)
      refuse(within(place, 'migrations.tableName'), 'a history of its own', `${shown(tables[index + 1])}, of ${names[other]} too`);
    for (const { stream } of after.filter((each) => !names.includes(each.stream)))
      refuse(within(place, 'after'), `one of ${[...new Set(names)].join(', ')}`, shown(stream) + suggestion(stream, names));
  }
  return problems;
}

// The tables beside a history are called after it.
function isShared(one: string, other: string): boolean {
  const beside = ['', '_lock', '_journal', '_backfills', '_aside'];
  return beside.some((suffix) => one + suffix === other || other + suffix === one);
}
