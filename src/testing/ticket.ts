import type { Knex } from 'knex';
import type { TestDatabase } from './database.js';
import { openDesk } from './desk.js';
import type { OnIdle, OnLeak } from './leaks.js';
import type { Baseline } from './restore.js';
import type { Template } from './template.js';
import { learnBaseline, openClone, type Workshop } from './workshop.js';

/** What another process of the same run needs to make databases of its own. It can be cloned; it holds the server's URL. */
export interface Ticket {
  readonly url: string;
  readonly run: string;
  readonly template: Template;
  readonly baseline: Baseline | undefined;
  readonly onLeak: OnLeak;
  readonly onIdle: OnIdle;
  /** A failed test keeps its database. */
  readonly keepFailed: boolean;
  /** A password of an embedded server opens nothing else, and nobody knows it; any other is no business of a log. */
  readonly password: 'shown' | 'masked';
  /** The directory of a configuration file that says how `db.knex` should be. */
  readonly configured: string | undefined;
}

/** Under what the setup provides a ticket. */
export function ticketKey(name: string): string {
  return `ensure-migrated:${name}`;
}

/** Learns what a copy of the template is, so that no worker has to. */
export async function writeTicket(
  workshop: Workshop & { readonly url: string },
  rest: Pick<Ticket, 'configured' | 'password'>,
): Promise<Ticket> {
  const { desk, template, onLeak, onIdle, keepFailed, url } = workshop;
  return { url, run: desk.run, template: template(), onLeak, onIdle, keepFailed, baseline: await learnBaseline(workshop), ...rest };
}

/** What a worker makes databases with. */
export interface Guest {
  acquire(): Promise<TestDatabase>;
  close(): Promise<void>;
}

/** Connects to the server as one of the run's processes. `knex` gives `db.knex` its configuration. */
export async function openGuest(ticket: Ticket, knex: Knex | undefined): Promise<Guest> {
  const { url, run, template, onLeak, onIdle, keepFailed } = ticket;
  const desk = await openDesk({ url, run, as: 'guest' });
  const made = { desk, template: () => template, opened: new Set<TestDatabase>(), learn: async () => ticket.baseline };
  const workshop: Workshop = { ...made, onLeak, onIdle, keepFailed, knex };
  return { acquire: async () => await openClone(workshop), close: async () => await desk.link.close() };
}
