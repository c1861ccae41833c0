import { backgroundRound, definitionsIn, pause, type Round } from '../backfill/index.js';
import { inBackground, isPassing, tellEnded } from '../background.js';
import { memberCall, type Call } from '../call.js';
import type { Options } from '../config/index.js';
import { tablesOf } from '../history/index.js';
import { asMigrationError } from '../run-call.js';
import type { Session } from '../session/index.js';
import type { Migration } from '../source/index.js';

export interface TenantBackfills {
  /** Of the boot. */
  readonly options: Options;
  readonly names: readonly string[];
  readonly migrations: readonly Migration[];
}

const lookAgainMs = 5_000;

/**
 * Works on the backfills of tenants in this process, and returns at once: one worker for all of them, on one connection, goes from tenant to tenant. It leaves one
 * where others are at work, or where a person is needed, and comes by again. It ends when none is left that this code can work on. See workInBackground().
 */
export function workThroughTenants({ options, names, migrations }: TenantBackfills): void {
  inBackground(options, async (call) => {
    const places = await Promise.all(names.map(async (name) => await placeOf(call, name, migrations)));
    return async (session) => await workThrough(call, session, places);
  });
}

interface Place {
  /** Its events carry the name of the tenant. */
  readonly call: Call;
  readonly round: (session: Session) => Promise<Round>;
  isOver: boolean;
}

async function placeOf(call: Call, name: string, migrations: readonly Migration[]): Promise<Place> {
  const own = memberCall(call, call.config, { tenant: name });
  const tables = tablesOf({ tableName: call.config.migrations.tableName, schemaName: name });
  return { call: own, round: await backgroundRound({ call: own, tables, definitionOf: definitionsIn(migrations) }), isOver: false };
}

async function workThrough(call: Call, session: Session, places: readonly Place[]): Promise<void> {
  for (;;) {
    const open = places.filter(({ isOver }) => !isOver);
    let worked = false;
    for (const place of open) worked = (await workAt(place, session)) || worked;
    if (places.every(({ isOver }) => isOver)) return;
    if (!worked) await pause(call, lookAgainMs * (0.5 + Math.random() / 2));
  }
}

async function workAt(place: Place, session: Session): Promise<boolean> {
  try {
    const { worked, left } = await place.round(session);
    place.isOver = left.length === 0;
    return worked;
  } catch (error) {
    place.call.stop.throwIfAborted();
    if (isPassing(error)) throw error; // the others would meet it too
    if (session.wire.status !== 'I') await session.send('rollback');
    place.isOver = true;
    tellEnded(place.call, asMigrationError(place.call, error));
    return false;
  }
}
