import { migrationKeys, isObject, variableOf, type AllOptions, type DatabaseOptions, type Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { withConnection } from './knexfile.js';

interface Layers {
  /** What counts of the file. */
  readonly beneath: Options;
  /** The same below the flags. */
  readonly all: Options;
}

type Migrations = Options['migrations'];

/**
 * Lays flags over a file. An option that is given beats the environment, so what the environment gives is taken out of the file's options
 * here. A connection from above goes into the file's knex: all else of that instance stays.
 */
export async function layOver(file: Options, flags: Options): Promise<Layers> {
  const { connection, ...others } = flags;
  const left = leftOf(file, flags, merged);
  const isElsewhere = connection !== undefined || variableOf('connection') !== undefined;
  const beneath = left.knex && isElsewhere ? { ...left, knex: await withConnection(left.knex, connection) } : left;
  return { beneath, all: { ...over(beneath, others), ...(connection !== undefined && beneath.knex === undefined && { connection }) } };
}

/** The same with a file of several databases: their connections are theirs, whatever the environment names. Throws EM_CONFIG_INVALID for a connection among the flags. */
export function layOverAll(file: AllOptions, flags: Options): AllOptions {
  if (flags.connection !== undefined) throw severalDatabases();
  const databases = file.databases.map((entry) => over(leftOf(entry, flags, placed), mergedOf(entry, flags)));
  return { ...over(leftOf(file, flags, placed), flags), databases };
}

// What an entry does not say comes from beside the list, where the flags are.
function mergedOf(entry: DatabaseOptions, { migrations, schema }: Options): Options {
  return { migrations: entry.migrations && migrations, schema: entry.schema && schema };
}

function severalDatabases(): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', '--connection names one database, and the configuration file has several', {
    remedy: 'Choose of them with --database, or name another file with --config. Nothing was changed.',
  });
}

// Key by key.
const merged: ReadonlySet<string> = new Set(['migrations', 'schema']);
const placed: ReadonlySet<string> = new Set([...merged, 'connection', 'directConnection']);

// What neither a flag nor the environment gives.
function leftOf<Given extends Options>(file: Given, flags: Options, kept: ReadonlySet<string>): Given {
  const isLeft = (name: string) => kept.has(name) || (flags[name as keyof Options] === undefined && variableOf(name) === undefined);
  return Object.fromEntries(Object.entries(file).filter(([name]) => isLeft(name))) as Given;
}

function over<Given extends Options>(beneath: Given, flags: Options): Given {
  const { migrations, schema, ...given } = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Options;
  return {
    ...beneath,
    ...given,
    ...(migrations !== undefined && { migrations: overMigrations(beneath.migrations, migrations) }),
    ...(schema !== undefined && { schema: overSchema(beneath.schema, schema) }),
  };
}

const sources = ['directory', 'modules', 'migrationSource'];

// Key by key: whoever names another directory still means the project's history table.
function overMigrations(file: Migrations, flag: Migrations): Migrations {
  const keys = migrationKeys(flag);
  const kept = Object.entries(migrationKeys(file)).filter(([key]) => !(sources.includes(key) && sources.some((source) => source in keys)));
  return { ...Object.fromEntries(kept), ...keys };
}

// Whoever names another model still means the part of the database that the project's own is about.
function overSchema(file: Options['schema'], flag: Options['schema']): Options['schema'] {
  const isKeyed = isObject(file) && !(file instanceof URL);
  return isKeyed && !(isObject(flag) && !(flag instanceof URL)) ? { ...file, files: flag } : flag;
}
