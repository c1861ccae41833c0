import { readMigrations, settleMigrations, type MigrationsConfig, type MigrationsInput } from './migrations.js';
import { isObject, record, refuse, shown, text, within, type Place, type Reader } from './values.js';

/** Migrations that a package ships, or that an application keeps apart from its own: a history of its own in the same database. */
export interface Stream {
  /** Names it in outcomes, events and errors, and its history table: `<name>_migrations`. */
  readonly name: string;
  /** As the option `migrations`; a package gives a file URL: `new URL('./migrations', import.meta.url)`. */
  readonly migrations: string | URL | readonly (string | URL)[] | MigrationsInput;
  /** What has to be there before its first migration: other streams (`'core'`), or one of their revisions (`'core@20260101_users'`). */
  readonly after?: readonly string[] | undefined;
  /** As the option `baseline`, for its own history. */
  readonly baseline?: string | undefined;
}

/** What a stream comes after: another one, up to a revision, or the whole of it. */
export interface After {
  readonly stream: string;
  readonly revision: string | undefined;
}

/** A stream, resolved. */
export interface StreamSettings {
  readonly name: string;
  readonly after: readonly After[];
  /** For the options of its own call. */
  readonly given: Stream;
  readonly migrations: MigrationsConfig;
}

/** What the application's own migrations are called among the streams. */
export const mainStream = 'main';

/** Reads the streams, each by itself; {@link problemsOfStreams} looks at them together. */
export function readStreams(value: unknown, place: Place): readonly StreamSettings[] | undefined {
  if (!Array.isArray(value)) return refuse(place, 'a list of { name, migrations, after, baseline }', shown(value));
  const read = value.map((each, index) => readStream(each, within(place, String(index))));
  return Object.freeze(read.filter((stream) => stream !== undefined));
}

function readStream(value: unknown, place: Place): StreamSettings | undefined {
  if (!isObject(value)) return refuse(place, 'an object { name, migrations, after, baseline }', shown(value));
  const read = record<Omit<StreamSettings, 'given' | 'migrations'> & { migrations: ReturnType<typeof readMigrations>; baseline: string }>({
    name: readName,
    migrations: readMigrations,
    after: readAfters,
    baseline: text,
  })(value, place);
  for (const key of ['name', 'migrations']) if (value[key] === undefined) refuse(within(place, key), 'something', 'nothing');
  if (read?.name === undefined || read.migrations === undefined) return undefined;
  const { name, after = [], migrations } = read;
  const settled = settleMigrations({ tableName: tableNameOf(name), ...migrations }, {});
  return Object.freeze({ name, after, given: value as unknown as Stream, migrations: settled });
}

/** The history table of a stream that does not say otherwise. */
export function tableNameOf(stream: string): string {
  return `${stream}_migrations`;
}

const readName: Reader<string> = (value, place) => {
  const name = text(value, place);
  if (name === undefined) return undefined;
  if (name === mainStream) return refuse(place, "a name of its own: the application's migrations are called so", shown(name));
  return /^\w[\w.-]{0,39}$/.test(name) ? name : refuse(place, 'up to 40 letters, digits, and _ . -', shown(name)); // with `_migrations_backfills` it fits into 63 bytes
};

const readAfters: Reader<readonly After[]> = (value, place) => {
  if (!Array.isArray(value)) return refuse(place, `a list such as ['core', 'core@20260101_users']`, shown(value));
  return Object.freeze(value.flatMap((each, index) => readAfter(each, within(place, String(index))) ?? []));
};

const readAfter: Reader<After> = (value, place) => {
  const after = text(value, place);
  if (after === undefined) return undefined;
  const [stream = '', ...revision] = after.split('@');
  const isWhole = stream !== '' && revision.join('@') !== '';
  if (after.includes('@') && !isWhole) return refuse(place, `a stream, or stream@revision`, shown(after));
  return Object.freeze({ stream, revision: revision.length === 0 ? undefined : revision.join('@') });
};

/** What is wrong with the streams together, one problem a line: names and tables that stand twice, and streams that are not there. */
export function problemsOfStreams(streams: readonly StreamSettings[], main: Pick<MigrationsConfig, 'tableName' | 'schemaName'>): string[] {
  const names = [mainStream, ...streams.map(({ name }) => name)];
  const tables = [main, ...streams.map(({ migrations }) => migrations)].map(
    ({ tableName, schemaName = main.schemaName }) => `${schemaName === undefined ? '' : `${schemaName}.`}${tableName}`,
  );
  return streams.flatMap(({ name, after }, index) => [
    ...(names.indexOf(name) <= index ? [`streams.${index}.name: expected each name once; got ${shown(name)} again`] : []),
    ...sharedWith(tables, index + 1).map(
      (other) => `streams.${index}.migrations: expected a history table of its own; got ${tables[other]}, which is that of ${names[other]}`,
    ),
    ...after
      .filter(({ stream }) => !names.includes(stream))
      .map(({ stream }) => `streams.${index}.after: expected one of ${names.join(', ')}; got ${shown(stream)}`),
  ]);
}

function sharedWith(tables: readonly string[], index: number): number[] {
  const first = tables.indexOf(tables[index] ?? '');
  return first < index ? [first] : [];
}
