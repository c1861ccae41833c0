import type { Knex } from 'knex';
import type { TestDatabase } from './database.js';
import { timed, type Tally } from './tally.js';
import { openGuest, type Guest, type Ticket } from './ticket.js';

/** A worker's databases: one for each name, and more for tests that run at once. */
export interface Lanes {
  /** The worker's own, reset: made on first use. */
  take(name: string, tally: Tally): Promise<TestDatabase>;
  /** One for a single test. */
  takeAlone(name: string, tally: Tally): Promise<TestDatabase>;
  readonly ticketOf: (name: string) => Ticket;
  close(): Promise<void>;
}

export interface LanesRequest {
  readonly ticketOf: (name: string) => Ticket;
  /** Loads the knex whose configuration `db.knex` takes. */
  readonly knexOf: (ticket: Ticket) => Promise<Knex | undefined>;
}

/** Opens nothing until it is asked. */
export function openLanes({ ticketOf, knexOf }: LanesRequest): Lanes {
  const guests = new Map<string, Promise<Guest>>();
  const lanes = new Map<string, Promise<TestDatabase>>();
  const guestOf = async (name: string): Promise<Guest> => {
    const open = async () => await openGuest(ticketOf(name), await knexOf(ticketOf(name)));
    return await remember(guests, name, open);
  };
  const takeAlone = async (name: string, tally: Tally) => {
    const db = await (await guestOf(name)).acquire();
    tally.databaseCount++;
    return db;
  };
  return {
    ticketOf,
    takeAlone,
    take: async (name, tally) => {
      const isNew = !lanes.has(name);
      const db = await remember(lanes, name, async () => await takeAlone(name, tally));
      if (!isNew) await timed(tally, async () => await db.reset());
      return db;
    },
    close: async () => {
      for (const lane of lanes.values()) await (await lane).release();
      for (const guest of guests.values()) await (await guest).close();
    },
  };
}

// What failed is tried again by the next test.
async function remember<T>(known: Map<string, Promise<T>>, name: string, open: () => Promise<T>): Promise<T> {
  const opening = known.get(name) ?? open();
  known.set(name, opening);
  return await opening.catch((error: unknown) => {
    known.delete(name);
    throw error;
  });
}
