import type { Config } from './resolve.js';
import { optionTable, type OptionRow } from './table.js';

/** The environment variable that stands in for an option when it is not given, if one is set. A name that is no option has none. */
export function variableOf(name: string): string | undefined {
  const row = (optionTable as Readonly<Record<string, OptionRow>>)[name];
  return row?.environment?.find((each) => process.env[each]); // set to nothing, as compose files do, is not set
}

/** The name of the environment as Node projects and knex know it. */
export function nodeEnvironment(): string | undefined {
  return process.env['NODE_ENV'] || undefined;
}

/** Whether this is production by NODE_ENV or by the option `environment`, whatever the other of them says. */
export function isProduction({ environment }: Pick<Config, 'environment'>): boolean {
  return environment === 'production' || nodeEnvironment() === 'production';
}
