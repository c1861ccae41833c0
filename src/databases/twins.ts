import { quietCall, type Call } from '../call.js';
import { resolveConfig, type Database } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { inLanes } from '../fleet.js';
import { readHistory, tablesOf } from '../history/index.js';
import { connectAtOnce, openSession, type Session } from '../session/index.js';

/** One that has answered. */
interface Known {
  readonly name: string;
  /** Where its history is, for people. */
  readonly place: string;
  /** The same for one and the same history only. */
  readonly key: string;
}

const atOnce = 16;
const limitMs = 2_000;

/**
 * Asks each database who it is, and throws EM_CONFIG_INVALID where two are one database and one history: a connection that was copied and not
 * changed. What does not answer within 2 s is left out, since its own boot says why. Takes no lock, writes nothing.
 */
export async function refuseTwins(call: Call, databases: readonly Database[]): Promise<void> {
  const known = await askAll(call, databases);
  call.stop.throwIfAborted();
  const groups = [...new Set(known.map(({ key }) => key))].map((key) => known.filter((each) => each.key === key));
  const lines = groups.filter((group) => group.length > 1).map(twinsLine);
  if (lines.length === 0) return;
  throw new MigrationError('EM_CONFIG_INVALID', ['databases that are one and the same:', ...lines].join('\n  '), {
    remedy: 'Correct their connections, or give each a history of its own (`migrations`: tableName, schemaName). Nothing was changed.',
  });
}

function twinsLine(group: readonly Known[]): string {
  return `- ${group.map(({ name }) => name).join(', ')}: the history ${group[0]?.place ?? ''}`;
}

async function askAll(call: Call, databases: readonly Database[]): Promise<Known[]> {
  if (databases.length === 1) return [];
  const known: (Known | undefined)[] = [];
  await inLanes(databases, atOnce, async (database, index) => {
    known[index] = await askInTime(call, database);
    return 'go on';
  });
  return known.filter((each) => each !== undefined);
}

async function askInTime(call: Call, database: Database): Promise<Known | undefined> {
  const config = resolveConfig(database.options);
  if (config.mode === 'off') return undefined;
  const limit = new AbortController();
  const asking = ask(inTime(quietCall(call, config), limit.signal), database.name);
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([asking, aborted(limit.signal)]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

// Told to stop by the limit, too: the connection is given up then.
function inTime(call: Call, limit: AbortSignal): Call {
  return Object.create(call, { stop: { value: AbortSignal.any([call.stop, limit]) } }) as Call;
}

// A function that gives credentials may hang, and hears of no signal.
function aborted(limit: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => limit.addEventListener('abort', () => resolve(undefined), { once: true }));
}

async function ask(call: Call, name: string): Promise<Known> {
  const tables = tablesOf(call.config.migrations);
  await using session = await openSession(call, 'connection', connectAtOnce);
  const { facts } = await readHistory(session, tables);
  const schema = tables.schema ?? facts.schema ?? '';
  const place = `${schema}.${tables.names.history} of the database "${facts.database}"`;
  return { name, place, key: JSON.stringify([await readCluster(session), facts.database, schema, tables.names.history]) };
}

// A physical copy keeps the system identifier, as a shard that was split off by a base backup does; the server that answers has a start of its own.
async function readCluster(session: Session): Promise<unknown> {
  const [cluster] = await session.query(
    `select system_identifier::text, pg_catalog.pg_postmaster_start_time()::text as started from pg_catalog.pg_control_system()`,
  );
  return cluster;
}
