import { isObject, variableOf, type Options } from '../config/index.js';
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
  const { connection, migrations, schema, ...given } = pick(flags, (name) => flags[name] !== undefined);
  const left = pick(file, (name) => merged.has(name) || (flags[name] === undefined && variableOf(name) === undefined));
  const isElsewhere = connection !== undefined || variableOf('connection') !== undefined;
  const beneath = left.knex && isElsewhere ? { ...left, knex: await withConnection(left.knex, connection) } : left;
  const all = {
    ...beneath,
    ...given,
    ...(connection !== undefined && beneath.knex === undefined && { connection }),
    ...(migrations !== undefined && { migrations: overMigrations(beneath.migrations, migrations) }),
    ...(schema !== undefined && { schema: overSchema(beneath.schema, schema) }),
  };
  return { beneath, all };
}

// Key by key.
const merged: ReadonlySet<keyof Options> = new Set(['migrations', 'schema']);

function pick(options: Options, isWanted: (name: keyof Options) => boolean): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => isWanted(name as keyof Options)));
}

const sources = ['directory', 'modules', 'migrationSource'];

// Key by key: whoever names another directory still means the project's history table.
function overMigrations(file: Migrations, flag: Migrations): Migrations {
  const keys = asKeys(flag);
  const kept = Object.entries(asKeys(file)).filter(([key]) => !(sources.includes(key) && sources.some((source) => source in keys)));
  return { ...Object.fromEntries(kept), ...keys };
}

// Whoever names another model still means the part of the database that the project's own is about.
function overSchema(file: Options['schema'], flag: Options['schema']): Options['schema'] {
  const isKeyed = isObject(file) && !(file instanceof URL);
  return isKeyed && !(isObject(flag) && !(flag instanceof URL)) ? { ...file, files: flag } : flag;
}

function asKeys(migrations: Migrations): Record<string, unknown> {
  if (migrations === undefined) return {};
  return isObject(migrations) && !(migrations instanceof URL) ? migrations : { directory: migrations };
}
