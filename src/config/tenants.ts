import { MigrationError, messageOf } from '../errors.js';
import { readOnFailure, type OnFailure } from './on-failure.js';
import { record, refuse, shown, text, wholeFrom1, isObject, within, type Place, type Reader } from './values.js';

/** A schema for each tenant, in one database. */
export interface TenantsInput {
  /**
   * Their names, or a function that gives them and is asked at each call. An empty list: nothing is to be done.
   * @uniqueItems true
   */
  readonly schemas: readonly string[] | (() => Promise<readonly string[]> | readonly string[]);
  /**
   * How many are migrated at once, each on a connection of its own; never more than a quarter of the server's max_connections.
   * @default 4
   * @asType integer
   * @minimum 1
   */
  readonly concurrency?: number | undefined;
  /** When one has failed: go on with the others (default), begin no more, or go on until more than `max` have failed. */
  readonly onFailure?: OnFailure | undefined;
}

/** The tenants, resolved. */
export interface TenantSettings {
  /** Throws EM_CONFIG_INVALID when the user's function throws, or gives what are no names of schemas. */
  readonly schemas: () => Promise<readonly string[]>;
  readonly concurrency: number;
  readonly onFailure: OnFailure;
}

const inWords = '{ schemas, concurrency, onFailure }';

/** Reads the tenants. A function is kept: what it gives is read by the same rules when it is asked. */
export function readTenants(value: unknown, place: Place): TenantSettings | undefined {
  if (!isObject(value)) return refuse(place, `an object of ${inWords}`, shown(value));
  const given = record<TenantSettings>({ schemas: readSchemas, concurrency: wholeFrom1, onFailure: readOnFailure })(value, place);
  if (value['schemas'] === undefined) return refuse(within(place, 'schemas'), 'a list of names, or a function that gives one', 'nothing');
  if (given?.schemas === undefined) return undefined;
  return Object.freeze({ concurrency: 4, onFailure: 'continue', ...given, schemas: given.schemas });
}

function readSchemas(value: unknown, place: Place): TenantSettings['schemas'] | undefined {
  if (typeof value === 'function') return async () => await askNames(value as () => unknown, `${place.path}()`);
  const names = readTenantNames(value, place);
  return names && (() => Promise.resolve(names));
}

async function askNames(ask: () => unknown, path: string): Promise<readonly string[]> {
  const given = await answerOf(ask, path);
  const problems: string[] = [];
  const names = readTenantNames(given, { path, problems });
  if (names === undefined) throw new MigrationError('EM_CONFIG_INVALID', ['the tenants are not valid:', ...problems].join('\n  '));
  return names;
}

async function answerOf(ask: () => unknown, path: string): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    throw new MigrationError('EM_CONFIG_INVALID', `${path} threw: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Mend the function that lists the tenants. Nothing was changed.',
    });
  }
}

/** Reads the names of schemas, each of which may stand once; writes all that is wrong with them down. */
function readTenantNames(value: unknown, place: Place): readonly string[] | undefined {
  if (!Array.isArray(value)) return refuse(place, 'a list of the names of schemas', shown(value));
  const before = place.problems.length;
  const names = value.map((each, index) => readTenantName(each, within(place, String(index))));
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name !== undefined && seen.has(name)) refuse(within(place, String(index)), 'each name once', `${shown(name)} again`);
    if (name !== undefined) seen.add(name);
  }
  return place.problems.length > before ? undefined : Object.freeze(names as string[]);
}

/** Reads the name of a tenant's schema. */
export const readTenantName: Reader<string> = (value, place) => {
  const name = readSchemaName(value, place);
  if (name === undefined) return undefined;
  // search_path takes "$user" for the schema of the role, quoted too; the server keeps the others to itself.
  const isTaken = name.startsWith('pg_') || name === 'information_schema' || name === '$user';
  return isTaken ? refuse(place, "a schema that is not the server's own", shown(name)) : name;
};

const readSchemaName: Reader<string> = (value, place) => {
  const name = text(value, place);
  if (name === undefined) return undefined;
  if (name.includes('\0')) return refuse(place, 'a name without a zero byte', shown(name));
  // The server would cut it, and two names that begin alike would be one schema.
  return Buffer.byteLength(name) <= 63 ? name : refuse(place, 'a name of at most 63 bytes', shown(name));
};

/** Reads a search_path. `"$user"` means the schema of the role, as in the setting. */
export const readSearchPath: Reader<readonly string[]> = (value, place) => {
  if (!Array.isArray(value) || value.length === 0) return refuse(place, 'a list of the names of schemas that is not empty', shown(value));
  const names = value.map((each, index) => readSchemaName(each, within(place, String(index))));
  return names.every((name) => name !== undefined) ? Object.freeze(names) : undefined;
};

interface BesideTenants {
  readonly tenants: TenantSettings | undefined;
  readonly migrations: { readonly schemaName: string | undefined };
  readonly replicas: readonly unknown[] | undefined;
  readonly streams: readonly unknown[] | undefined;
}

/** What cannot be together with tenants, one problem a line. */
export function conflictsWithTenants({ tenants, migrations: { schemaName }, replicas = [], streams = [] }: BesideTenants): string[] {
  if (tenants === undefined) return [];
  const problems: string[] = [];
  if (schemaName !== undefined) {
    const path = 'migrations.schemaName';
    refuse({ path, problems }, 'nothing together with tenants, each of which has its history in its own schema', shown(schemaName));
  }
  if (streams.length > 0) refuse({ path: 'streams', problems }, 'nothing together with tenants', `a list of ${streams.length}`);
  if (replicas.length > 0) refuse({ path: 'replicas', problems }, 'nothing together with tenants', `a list of ${replicas.length}`);
  return problems;
}
