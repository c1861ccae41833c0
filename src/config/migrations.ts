import { resolve } from 'node:path';
import type { Knex } from 'knex';
import { readDirectories } from './directories.js';
import { readModules, type MigrationModule, type MigrationModules, type MigrationSource } from './modules.js';
import { callable, flag, havingMethods, isObject, record, refuse, shown, text, texts, type Place, type Reader } from './values.js';

/** knex's hooks. `migrations` is what knex would hand over. */
export interface MigrationHooks {
  readonly beforeAll?: MigrationHook;
  readonly beforeEach?: MigrationHook;
  readonly afterEach?: MigrationHook;
  readonly afterAll?: MigrationHook;
}

/** One of knex's hooks, called as knex does. What it throws stops the run. */
export type MigrationHook = (knexOrTrx: Knex, migrations: unknown[]) => unknown;

/** Where the migrations are and how the history is kept, resolved. */
export interface MigrationsConfig {
  /** Absolute. Empty when modules or a migrationSource is given. */
  readonly directories: readonly string[];
  /** Absolute: a directory in one of these whose files count as if they stood beside it. Only for what is being written, and not proved yet. */
  readonly draft?: string;
  readonly sortDirsSeparately: boolean;
  /** Undefined: our own set. */
  readonly loadExtensions: readonly string[] | undefined;
  readonly tableName: string;
  /** Undefined: the first schema of the search_path. */
  readonly schemaName: string | undefined;
  readonly disableTransactions: boolean;
  readonly disableMigrationsListValidation: boolean;
  readonly migrationSource: MigrationSource | undefined;
  readonly modules: MigrationModules | undefined;
  readonly hooks: MigrationHooks;
  /** How a new migration is made. */
  readonly making: { readonly extension: string | undefined; readonly stub: string | undefined; readonly fileName: string | undefined };
}

/** The keys of knex's migration configuration as they are, and `modules`. */
export interface MigrationsInput {
  /** @minItems 1 */
  readonly directory?: string | URL | readonly (string | URL)[] | undefined;
  /** Instead of a directory: names, each with its module or a function that imports it. */
  readonly modules?: Readonly<Record<string, MigrationModule | (() => Promise<unknown>)>> | undefined;
  readonly migrationSource?: MigrationSource | undefined;
  /** @maxLength 53 */
  readonly tableName?: string | undefined;
  readonly schemaName?: string | null | undefined;
  readonly disableTransactions?: boolean | undefined;
  readonly disableMigrationsListValidation?: boolean | undefined;
  readonly sortDirsSeparately?: boolean | undefined;
  readonly loadExtensions?: readonly string[] | undefined;
  readonly extension?: string | undefined;
  readonly stub?: string | undefined;
  /** @pattern \{slug\} */
  readonly fileName?: string | undefined;
  readonly name?: string | undefined;
  readonly beforeAll?: MigrationHook | undefined;
  readonly beforeEach?: MigrationHook | undefined;
  readonly afterEach?: MigrationHook | undefined;
  readonly afterAll?: MigrationHook | undefined;
}

/** The same, read: only what was given, each value good by itself. */
export interface GivenMigrations {
  readonly directory: readonly string[];
  readonly modules: MigrationModules;
  readonly migrationSource: MigrationSource;
  readonly tableName: string;
  readonly schemaName: string;
  readonly disableTransactions: boolean;
  readonly disableMigrationsListValidation: boolean;
  readonly sortDirsSeparately: boolean;
  readonly loadExtensions: readonly string[];
  readonly extension: string;
  readonly stub: string;
  readonly fileName: string;
  readonly name: string;
  readonly beforeAll: MigrationHook;
  readonly beforeEach: MigrationHook;
  readonly afterEach: MigrationHook;
  readonly afterAll: MigrationHook;
}

interface MigrationsRow<Value> {
  readonly shown?: string;
  readonly sentence: string;
  readonly read: Reader<Value>;
}

const hookRow = (sentence: string) => ({ sentence, read: callable<MigrationHook>() });

/** Every key of the option `migrations`. */
export const migrationsTable: { readonly [Key in keyof GivenMigrations]: MigrationsRow<GivenMigrations[Key]> } = {
  directory: {
    shown: '`./migrations`',
    sentence: 'A directory or a list of them, as paths from the working directory or as file URLs.',
    read: readDirectories,
  },
  modules: {
    sentence: 'Instead of a directory: an object of names, each with its module or a function that imports it.',
    read: readModules,
  },
  migrationSource: {
    sentence: "Instead of a directory: knex's interface for sources of one's own.",
    read: havingMethods<MigrationSource>('getMigrations', 'getMigrationName', 'getMigration'),
  },
  tableName: { shown: '`knex_migrations`', sentence: 'The history table.', read: readTableName },
  schemaName: { shown: 'the first schema of the search_path', sentence: 'The schema of the history table. It must exist.', read: text },
  disableTransactions: {
    shown: '`false`',
    sentence: 'Runs migrations outside a transaction unless `config.transaction` says otherwise.',
    read: flag,
  },
  disableMigrationsListValidation: {
    shown: '`false`',
    sentence:
      'Lets applied migrations be missing from the code, as knex does: history-missing and history-ahead are `warn` by default then.',
    read: flag,
  },
  sortDirsSeparately: { shown: '`false`', sentence: 'Orders the migrations directory by directory.', read: flag },
  loadExtensions: { shown: 'every kind that can be loaded', sentence: 'The file extensions that count as migrations.', read: texts },
  extension: {
    shown: "that of the project's last migration",
    sentence: 'What `revision` writes: `js`, `ts`, `sql` and so on.',
    read: text,
  },
  stub: { sentence: 'The file that `revision` fills in, with `{{message}}` and `{{name}}` in it.', read: text },
  fileName: {
    shown: "as the project's last migration",
    sentence: 'How `revision` names a file: `{timestamp}` or `{number}`, and `{slug}`.',
    read: readFileName,
  },
  name: { sentence: "knex's key for `migrate:up` and `migrate:down`; read by knex only.", read: text },
  beforeAll: hookRow('Called before the first pending migration, in the transaction of the set where there is one.'),
  beforeEach: hookRow('Called before each migration, inside its transaction.'),
  afterEach: hookRow('Called after each migration, inside its transaction.'),
  afterAll: hookRow('Called after the last pending migration, in the transaction of the set where there is one.'),
};

const tableKeys = Object.keys(migrationsTable) as (keyof GivenMigrations)[];
const sourceKeys = ['directory', 'modules', 'migrationSource'] as const;

/** Reads the option: a directory, a list of them, or an object of {@link migrationsTable}. */
export function readMigrations(value: unknown, place: Place): Partial<GivenMigrations> | undefined {
  if (!isObject(value) || value instanceof URL) {
    const directory = readDirectories(value, place);
    return directory && { directory };
  }
  const given = readKeys(value, place);
  const sources = sourceKeys.filter((key) => isGiven(value[key]));
  if (sources.length > 1) refuse(place, 'one of directory, modules and migrationSource', sources.join(' and '));
  return given;
}

const readers = Object.fromEntries(tableKeys.map((key) => [key, migrationsTable[key].read])) as {
  [Key in keyof GivenMigrations]: Reader<GivenMigrations[Key]>;
};

// knex's own default for schemaName is null.
const isGiven = (value: unknown) => value !== undefined && value !== null;

function readKeys(value: object, place: Place): Partial<GivenMigrations> | undefined {
  return record<GivenMigrations>(readers)(Object.fromEntries(Object.entries(value).filter(([, each]) => isGiven(each))), place);
}

/** Reads the migrations configuration of a knex instance. Keys that knex does not know are passed over, as knex does. */
export function readInheritedMigrations(value: unknown, place: Place): Partial<GivenMigrations> {
  if (!isObject(value)) return {};
  const known = Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'modules' && tableKeys.some((each) => each === key)));
  const inherited = readKeys(known, place) ?? {};
  return resetsSource(inherited) ? without(inherited, ['migrationSource']) : inherited;
}

// In knex every option about files takes the place of a migrationSource.
function resetsSource(given: Partial<GivenMigrations>): boolean {
  return given.directory !== undefined || given.sortDirsSeparately !== undefined || given.loadExtensions !== undefined;
}

/** The option as an object, in whatever form it was given. */
export function migrationKeys(migrations: Migrations | MigrationsInput | undefined): MigrationsInput {
  if (migrations === undefined) return {};
  return isObject(migrations) && !(migrations instanceof URL) ? migrations : { directory: migrations as Migrations };
}

type Migrations = string | URL | readonly (string | URL)[];

/** Puts what was given over what knex's configuration says, key by key, and fills in the defaults. */
export function settleMigrations(given: Partial<GivenMigrations>, inherited: Partial<GivenMigrations>): MigrationsConfig {
  const keys = { ...withoutReplaced(inherited, given), ...given };
  const isElsewhere = keys.modules !== undefined || keys.migrationSource !== undefined;
  return Object.freeze({
    directories: isElsewhere ? Object.freeze([]) : (keys.directory ?? Object.freeze([resolve('migrations')])),
    sortDirsSeparately: keys.sortDirsSeparately ?? false,
    loadExtensions: keys.loadExtensions,
    tableName: keys.tableName ?? 'knex_migrations',
    schemaName: keys.schemaName,
    disableTransactions: keys.disableTransactions ?? false,
    disableMigrationsListValidation: keys.disableMigrationsListValidation ?? false,
    migrationSource: keys.migrationSource,
    modules: keys.modules,
    hooks: hooksOf(keys),
    making: Object.freeze({ extension: keys.extension, stub: keys.stub && resolve(keys.stub), fileName: keys.fileName }),
  });
}

function withoutReplaced(inherited: Partial<GivenMigrations>, given: Partial<GivenMigrations>): Partial<GivenMigrations> {
  if (sourceKeys.some((key) => given[key] !== undefined)) return without(inherited, sourceKeys);
  return resetsSource(given) ? without(inherited, ['migrationSource']) : inherited;
}

function without<Value extends object>(value: Value, keys: readonly string[]): Value {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key))) as Value;
}

function hooksOf({ beforeAll, beforeEach, afterEach, afterAll }: Partial<GivenMigrations>): MigrationHooks {
  const hooks = {
    ...(beforeAll && { beforeAll }),
    ...(beforeEach && { beforeEach }),
    ...(afterEach && { afterEach }),
    ...(afterAll && { afterAll }),
  };
  return Object.freeze(hooks);
}

// The server cuts names at 63 bytes, and "<tableName>_journal_o", an index, must not become another's.
function readTableName(value: unknown, place: Place): string | undefined {
  const name = text(value, place);
  if (name === undefined || Buffer.byteLength(name) <= 53) return name;
  return refuse(place, 'at most 53 bytes, since the journal is named <tableName>_journal', shown(name));
}

function readFileName(value: unknown, place: Place): string | undefined {
  const template = text(value, place);
  if (template === undefined) return undefined;
  const rest = template.replaceAll(/\{(timestamp|number|slug)\}/g, '');
  const isNaming = /\{(timestamp|number)\}/.test(template) && template.includes('{slug}') && !/[{}/\\]/.test(rest);
  return isNaming ? template : refuse(place, 'a name such as "{timestamp}_{slug}" or "{number}_{slug}"', shown(value));
}
