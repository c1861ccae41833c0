import type { Knex } from 'knex';
import type pg from 'pg';
import { MigrationError } from '../errors.js';
import { redact } from '../sql.js';
import { openClients, type Clients } from './clients.js';
import type { Desk } from './desk.js';
import { dropDatabase, setAside } from './drop.js';
import { describeLeak, endIdle, readLeaks, type OnIdle, type OnLeak } from './leaks.js';
import { openLink, type Link } from './link.js';
import { restore, type Baseline, type Restored, type Restoring } from './restore.js';

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
   * `onLeak` is `error`. After a test that `failed`, with `keepFailed`, what the test left is kept first; a process warning tells its URL.
   */
  reset(test?: { readonly failed: boolean }): Promise<Reset>;
  /**
   * Leaves what is there now on the server, under another name, for a person to look at, and gives its URL. This database is a new copy then;
   * connections of the application are cut. An embedded server ends with its process.
   */
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
  readonly keepFailed: boolean;
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
  const { reset, keep, end } = await occupy(request, clients);
  const inTurn = takeTurns();
  const working = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!opened.has(database)) throw released(name);
    return await inTurn(work);
  };
  const release = once(async () => {
    opened.delete(database);
    await inTurn(end);
  });
  const database: TestDatabase = {
    name,
    url,
    get pool() {
      return clients.pool;
    },
    get knex() {
      return clients.knex;
    },
    reset: async (test) => await working(async () => await reset(test)),
    keep: async () => await working(keep),
    release,
    [Symbol.asyncDispose]: release,
  };
  opened.add(database);
  return database;
}

interface Occupied {
  reset(test?: { readonly failed: boolean }): Promise<Reset>;
  keep(): Promise<string>;
  end(): Promise<void>;
}

/** Makes the database, and makes it again where it has to be. */
async function occupy(request: DatabaseRequest, clients: Clients): Promise<Occupied> {
  const { desk, name, onIdle, onLeak, keepFailed } = request;
  let place = await makePlace(request);
  const drop = async () => await dropDatabase(desk, name);
  const renew = async <T>(takeAway: () => Promise<T>): Promise<T> => {
    await clients.renew();
    await place.close();
    const taken = await takeAway();
    place = await makePlace(request);
    return taken;
  };
  const keep = async () => desk.urlOf(await renew(async () => await setAside(desk, name)));
  return {
    reset: async (test) => {
      const kept = keepFailed && test?.failed ? await keep() : undefined;
      if (kept !== undefined) process.emitWarning(`the database of a failed test is kept: ${redact(kept)}`, { type: 'TestFailed' });
      await clients.clean(onIdle);
      const { how, leaks } = await bringBack(place, onIdle);
      if (how === 'beyond') await renew(drop);
      if (leaks.length > 0) tellLeaks(onLeak, name, leaks.map(describeLeak));
      return how === 'beyond' || kept !== undefined ? 'renewed' : how;
    },
    keep,
    end: async () => {
      await clients.destroy();
      await place.close();
      await drop();
    },
  };
}

function once(work: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined;
  return async () => await (working ??= work());
}

/** Lets what is asked at once be done one after the other. */
function takeTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return await turn;
  };
}

function released(name: string): MigrationError {
  return new MigrationError('EM_TEST_SERVER', `the database ${name} has been released`, { remedy: 'Acquire another one.' });
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

function tellLeaks(onLeak: OnLeak, database: string, leaks: readonly string[]): void {
  const message = `a test has left open in the database ${database}:\n  ${leaks.join('\n  ')}`;
  if (onLeak === 'error') throw new MigrationError('EM_TEST_LEAK', message);
  if (onLeak === 'warn') process.emitWarning(message, { type: 'TestLeak' });
}
