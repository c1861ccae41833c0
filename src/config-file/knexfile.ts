import type { Knex } from 'knex';
import { isObject, knexClientOf, nodeEnvironment, resolveConfig, type Options } from '../config/index.js';
import { anchorMigrations } from './paths.js';

interface Asked {
  readonly directory: string;
  readonly environment: string | undefined;
}

type Section = Record<string, unknown>;

/**
 * The options that a knexfile comes to: a knex instance of the section, so that its connection, migrations, searchPath, pool.afterCreate,
 * wrapIdentifier and postProcessResponse hold as they do for knex. Its pool opens nothing until it is asked, and nobody asks it.
 */
export async function optionsOfKnexfile(knexfile: Section, { directory, environment }: Asked): Promise<Options> {
  const name = environment ?? nodeEnvironment() ?? 'development';
  const section = sectionOf(knexfile, name);
  const { client } = section;
  if (typeof client === 'string' && !postgres.includes(client)) throw new Error(`its client is "${client}", not "pg" (section ${name})`);
  const migrations = anchorMigrations({ migrations: section['migrations'] ?? {} }, directory);
  const knex = await createKnex({ ...section, migrations, connection: section['connection'] ?? undeclared });
  return section === knexfile ? { knex } : { knex, environment: name };
}

// knex would look for the other database's driver, and say on stderr that it is missing.
const postgres = ['pg', 'postgres', 'postgresql', 'pgnative'];

// As knex: the section of that name, else the whole.
function sectionOf(knexfile: Section, name: string): Section {
  const section = knexfile[name];
  if (isObject(section)) return section;
  const names = Object.keys(knexfile).filter((key) => isObject(knexfile[key]) && 'client' in knexfile[key]);
  if (knexfile['client'] !== undefined || names.length === 0) return knexfile;
  throw new Error(`it has no section "${name}" (--env, NODE_ENV), but ${names.join(', ')}`);
}

// What the environment says when a connection is wanted. A verb that needs no database does not ask.
const undeclared = async () => await resolveConfig({ mode: 'off' }).connection();

/** The same knex with another connection, or with the one that the environment gives. Throws EM_CONFIG_INVALID. */
export async function withConnection(knex: Knex, connection: Options['connection']): Promise<Knex> {
  const client = knexClientOf(knex);
  if (client === undefined) return knex; // not one: resolveConfig says so
  return await createKnex({
    ...client.config,
    client: client.constructor,
    connection: resolveConfig({ mode: 'off', connection }).connection,
  });
}

async function createKnex(config: Section): Promise<Knex> {
  const { default: knex } = await import('knex');
  return knex(config);
}
