import { withConnection } from '../config-file/index.js';
import { resolveConfig, type Config, type Options } from '../config/index.js';
import { tablesOf } from '../history/index.js';
import { listMigrations, type Migration } from '../source/index.js';
import { identifier } from '../sql.js';
import { withLink } from './link.js';

/** What of the options of `ensureMigrated` says how the migrations run. The database is the harness's own. */
export type MigratingOptions = Pick<Options, 'migrations' | 'knex' | 'transaction' | 'rules' | 'application' | 'environment' | 'timeouts'>;

/** What the tests are about: the migrations, and how they are run on a database. */
export interface Project {
  readonly config: Config;
  /** Lists the migrations; imports none. Throws EM_NO_MIGRATIONS, and what is wrong with them. */
  list(): Promise<readonly Migration[]>;
  /** The options that lead `ensureMigrated` and the verbs to a database. */
  optionsOf(url: string): Promise<Options>;
}

/** Reads the options; lists nothing, connects to nothing. Throws EM_CONFIG_INVALID. */
export function readProject(options: MigratingOptions): Project {
  const { migrations, knex, transaction, rules, application, environment = 'test', timeouts } = options;
  const how: Options = {
    migrations,
    transaction,
    rules,
    application,
    environment,
    timeouts,
    mode: 'apply',
    backfills: 'blocking',
    logger: false,
  };
  const config = resolveConfig({ ...how, ...(knex && { knex }), mode: 'off' });
  return {
    config,
    list: async () => await listMigrations(config.migrations),
    optionsOf: async (url) => ({
      ...how,
      ...(knex === undefined ? { connection: url } : { knex: await withConnection(knex, url) }),
      directConnection: url, // what the environment says of the real database must never be followed
    }),
  };
}

/** What a database needs before the first migration. */
export async function prepareEmpty({ config }: Project, url: string): Promise<void> {
  const { schema } = tablesOf(config.migrations);
  if (schema === undefined) return;
  await withLink(url, async (link) => await link.query(`create schema if not exists ${identifier(schema)}`));
}
