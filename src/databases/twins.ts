import { quietCall, type Call } from '../call.js';
import { resolveConfig, type Config, type Database, type MigrationsConfig } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { inLanes } from '../fleet.js';
import { readHistory, tablesOf } from '../history/index.js';
import { connectAtOnce, openSession, type Session } from '../session/index.js';

/** A history of one that has answered. */
interface Known {
  readonly name: string;
  /** Where the history is, for people. */
  readonly place: string;
  /** The same for one and the same history only. */
  readonly key: string;
}

const atOnce = 16;
const limitMs = 3_000;

/**
 * Asks each database who it is, and throws EM_CONFIG_INVALID where two have one history in one database: a connection that was copied and not
 * changed. What does not answer within 3 s is left out, since its own boot says why. Takes no lock, writes nothing.
 */
export async function refuseTwins(call: Call, databases: readonly Database[]): Promise<void> {
  const known = await askAll(call, databases);
  call.stop.throwIfAborted();
  const lines = twinLines(known);
  if (lines.length === 0) return;
  throw new MigrationError('EM_CONFIG_INVALID', ['databases that are one and the same:', ...lines].join('\n  '), {
    remedy: 'Correct their connections, or give each a history of its own (`migrations`: tableName, schemaName). Nothing was changed.',
  });
}

// Those that share many histories, of tenants, are named once, with the first of them.
function twinLines(known: readonly Known[]): string[] {
  const groups = new Map<string, Known[]>();
  for (const each of known) groups.set(each.key, [...(groups.get(each.key) ?? []), each]);
  const twins = [...groups.values()].filter((group) => group.length > 1);
  const places = new Map(twins.map((group) => [group.map(({ name }) => name).join(', '), group[0]?.place ?? '']));
  return [...places].map(([names, place]) => `- ${names}: the history ${place}`);
}

async function askAll(call: Call, databases: readonly Database[]): Promise<Known[]> {
  if (databases.length === 1) return [];
  const known: Known[][] = [];
  await inLanes(databases, atOnce, async (database, index) => {
    known[index] = await askInTime(call, database);
    return 'go on';
  });
  return known.flat();
}

async function askInTime(call: Call, database: Database): Promise<Known[]> {
  const config = resolveConfig(database.options);
  if (config.mode === 'off') return [];
  const limit = new AbortController();
  const asking = ask(inTime(quietCall(call, config), limit.signal), database.name);
  const timer = setTimeout(() => limit.abort(new Error(`no answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([asking, aborted(AbortSignal.any([call.stop, limit.signal]))]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

// Told to stop by the limit, too: the connection is given up then.
function inTime(call: Call, limit: AbortSignal): Call {
  return Object.create(call, { stop: { value: AbortSignal.any([call.stop, limit]) } }) as Call;
}

// A function that gives credentials may hang, and hears of no signal.
function aborted(limit: AbortSignal): Promise<[]> {
  return new Promise((resolve) => {
    if (limit.aborted) resolve([]);
    else limit.addEventListener('abort', () => resolve([]), { once: true });
  });
}

async function ask(call: Call, name: string): Promise<Known[]> {
  await using session = await openSession(call, 'connection', connectAtOnce);
  const { facts } = await readHistory(session, tablesOf(call.config.migrations));
  const cluster = await readCluster(session);
  return (await historiesOf(call.config)).map(({ schemaName = facts.schema ?? '', tableName }) => ({
    name,
    place: `${schemaName}.${tableName} of the database "${facts.database}"`,
    key: JSON.stringify([cluster, facts.database, schemaName, tableName]),
  }));
}

type Named = Pick<MigrationsConfig, 'schemaName' | 'tableName'>;

async function historiesOf({ migrations, streams, tenants }: Config): Promise<readonly Named[]> {
  const brought = streams.map(({ migrations: own }): Named => ({
    schemaName: own.schemaName ?? migrations.schemaName,
    tableName: own.tableName,
  }));
  if (tenants === undefined) return [migrations, ...brought];
  const { tableName } = migrations;
  return [...(await tenants.schemas()).map((schemaName) => ({ schemaName, tableName })), ...brought];
}

// A physical copy keeps the system identifier, as a shard that was split off by a base backup does; the server that answers has a start of its own.
async function readCluster(session: Session): Promise<unknown> {
  const [cluster] = await session.query(
    `select system_identifier::text, pg_catalog.pg_postmaster_start_time()::text as started from pg_catalog.pg_control_system()`,
  );
  return cluster;
}
