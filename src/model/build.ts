import { quietCall, type Call } from '../call.js';
import { inSchema, readHistory, tablesOf, type Tables } from '../history/index.js';
import { readBuilt, type Built } from '../likeness.js';
import type { Scratch } from '../scratch.js';
import { openSession, type Session } from '../session/index.js';
import { identifier } from '../sql.js';
import { declare } from './declare.js';
import type { ModelFile } from './load.js';

export interface BuildRequest {
  readonly call: Call;
  readonly scratch: Scratch;
  readonly files: readonly ModelFile[];
  /** Of the real database's history, which is there before the model. */
  readonly schema: string | undefined;
}

/** Makes what a model declares in a scratch database, and reads it. Throws as {@link declare} does. */
export async function buildModel({ files, ...place }: BuildRequest): Promise<Built> {
  return await inScratch(place, async (session, tables) => {
    await declare(session, files);
    return await readBuilt(session, tables, place.call.config.timeouts.lockMs);
  });
}

/** Works with a session in a scratch database, under the settings of a migration, where the schema of the history is. Says nothing. */
export async function inScratch<T>(
  { call, scratch, schema }: Omit<BuildRequest, 'files'>,
  work: (session: Session, tables: Tables) => Promise<T>,
): Promise<T> {
  const quiet = quietCall(call, { ...call.config, connection: scratch.connection, directConnection: undefined });
  await using session = await openSession(quiet);
  if (schema !== undefined) await session.query(`create schema if not exists ${identifier(schema)}`);
  const tables = tablesOf(call.config.migrations);
  const { facts } = await readHistory(session, tables);
  await session.hold('direct', facts);
  return await work(session, inSchema(tables, schema));
}
