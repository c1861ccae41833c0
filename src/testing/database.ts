import type { Knex } from 'knex';
import type pg from 'pg';
import { MigrationError } from '../errors.js';
import { identifier, literal } from '../sql.js';
import { openClients, type Clients } from './clients.js';
import type { Desk } from './desk.js';
import { dropDatabase } from './drop.js';
import { describeLeak, endIdle, readLeaks, type OnIdle, type OnLeak } from './leaks.js';
import { openLink, type Link } from './link.js';
import { restore, type Baseline, type Restored, type Restoring } from './restore.js';
import { keptMark } from './sweep.js';

/** How a database was brought back: it had not been changed, rows and sequences were put back, or it was made anew. */
export type Reset = 'untouched' | 'mended' | 'renewed';

/** A database of one test, or of one worker that resets it between its tests. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** For the code under test: any number of connections and transactions. Stays the same over resets. */
  readonly url: string;
  /** Made on first use, ended by `release`. */
  readonly pool: pg.Pool;
  /** Made on first use, ended by `release`. Of the project's own configuration where the harness was given a knex. */
  readonly knex: Knex;
  /**
   * Brings it back to what it was when it was acquired, whatever happened in it. Ends what was left open. When an object, a right or a
   * setting was changed, it is dropped and copied anew, and idle connections of the application are cut. Throws EM_TEST_LEAK where
   * `onLeak` is `error`.
   */
  reset(): Promise<Reset>;
  /** Leaves it on the server when it is released, for a person to look at, and gives its URL. An embedded server ends with its process. */
  keep(): Promise<string>;
  /** Ends `pool` and `knex`, and drops it. */
  release(): Promise<void>;
}

export interface DatabaseRequest {
  readonly desk: Desk;
  readonly name: string;
  /** Makes it: called at once, and after each test that has changed more than rows. */
  readonly make: () => Promise<void>;
  /** How it is when it was just made; undefined where it has to be made anew each time. */
  readonly learn: (link: Link) => Promise<Baseline | undefined>;
  readonly onLeak: OnLeak;
  readonly onIdle: OnIdle;
  /** Whose configuration `knex` takes. */
  readonly knex: Knex | undefined;
  /** It is in there until it is released. */
  readonly opened: Set<TestDatabase>;
}

/** Makes a database and keeps one connection to it for as long as it is not released. */
export async function openDatabase(request: DatabaseRequest): Promise<TestDatabase> {
  const { desk, name, knex, opened } = request;
  const url = desk.urlOf(name);
  const clients = openClients(url, knex);
  let place = await makePlace(request);
  let isKept = false;
  const end = async () => {
    opened.delete(database);
    await clients.destroy();
    await place.close();
    if (!isKept) await dropDatabase(desk, name);
  };
  const release = once(end);
  const database: TestDatabase = {
    name,
    url,
    get pool() {
      return clients.pool;
    },
    get knex() {
      return clients.knex;
    },
    reset: async () => {
      await clients.clean(request.onIdle);
      const { how, leaks } = await bringBack(place, request.onIdle);
      if (how === 'beyond') place = await renew(request, place, clients);
      if (leaks.length > 0) tellLeaks(request.onLeak, name, leaks.map(describeLeak));
      return how === 'beyond' ? 'renewed' : how;
    },
    keep: async () => {
      isKept = true;
      await markKept(desk, name);
      return url;
    },
    release,
    [Symbol.asyncDispose]: release,
  };
  opened.add(database);
  return database;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined;
  return async () => await (working ??= work());
}

async function markKept(desk: Desk, name: string): Promise<void> {
  await desk.link.query(`comment on database ${identifier(name)} is ${literal(`${keptMark}${new Date().toISOString()}`)}`);
}

/** The database as it was just made, and the connections to it. */
interface Place extends Restoring {
  readonly baseline: Baseline | undefined;
  /** Of its own sessions. */
  processIds(): Promise<number[]>;
  close(): Promise<void>;
}

async function makePlace({ desk, name, make, learn }: DatabaseRequest): Promise<Place> {
  await make();
  const url = desk.urlOf(name);
  const link = await openLink(url);
  await link.query(`select set_config('lock_timeout', '200ms', false)`); // somebody may hold a table: his session is looked for then, and ended
  let mender: Promise<Link> | undefined;
  return {
    link,
    baseline: await learn(link),
    openMender: async () => await (mender ??= openLink(url)),
    processIds: async () => [link, ...(mender === undefined ? [] : [await mender])].map(({ processId }) => processId),
    close: async () => {
      for (const each of [await mender?.catch(() => undefined), link]) await each?.close().catch(() => undefined);
    },
  };
}

async function bringBack({ baseline, ...place }: Place, onIdle: OnIdle): Promise<Restored> {
  try {
    if (onIdle === 'end') await endIdle(place.link, await place.processIds());
    return baseline === undefined ? { how: 'beyond', leaks: await readLeaks(place.link) } : await restore(place, baseline);
  } catch {
    return { how: 'beyond', leaks: [] }; // a test has ended our session among others, or the server was started again
  }
}

async function renew(request: DatabaseRequest, place: Place, clients: Clients): Promise<Place> {
  await clients.renew();
  await place.close();
  await dropDatabase(request.desk, request.name);
  return await makePlace(request);
}

function tellLeaks(onLeak: OnLeak, database: string, leaks: readonly string[]): void {
  const message = `a test has left open in the database ${database}:\n  ${leaks.join('\n  ')}`;
  if (onLeak === 'error') throw new MigrationError('EM_TEST_LEAK', message);
  if (onLeak === 'warn') process.emitWarning(message, { type: 'TestLeak' });
}
