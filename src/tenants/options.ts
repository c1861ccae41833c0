import { migrationKeys, resolveConfig, type Options } from '../config/index.js';

/** One tenant, with the options of every function of the library for it alone. */
export interface TenantPlace {
  readonly name: string;
  readonly options: Options;
}

/**
 * The tenants of the options, in their order; none where the options name none. Asks the user's function, connects to nothing. Throws EM_CONFIG_INVALID.
 */
export async function tenantsOf(options: Options): Promise<readonly TenantPlace[]> {
  const names = (await resolveConfig(options).tenants?.schemas()) ?? [];
  return names.map((name) => ({ name, options: optionsOf(options, name) }));
}

/** The options for one tenant: its history in its own schema, which is the first of the search_path. Pure. */
export function optionsOf(options: Options, name: string): Options {
  const { tenants: _, searchPath = ['public'], migrations, rules, ...rest } = options;
  return {
    ...rest,
    searchPath: [name, ...searchPath.filter((schema) => schema !== name)],
    migrations: { ...migrationKeys(migrations), schemaName: name },
    rules: { ...rules, 'schema-drift': 'off' }, // nothing can be said of it where several histories share a database
  };
}
