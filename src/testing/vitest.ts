import { test as base, inject, type TestAPI } from 'vitest';
import { loadConfigFile } from '../config-file/index.js';
import { MigrationError } from '../errors.js';
import { redact } from '../sql.js';
import type { TestDatabase } from './database.js';
import { openLanes, type Lanes } from './lanes.js';
import { openTally, timed } from './tally.js';
import { ticketKey, type Ticket } from './ticket.js';

export type { Reset, TestDatabase } from './database.js';

/**
 * vitest's `test` with the fixture `db`: a database at head that is reset before each test; the worker's own, so that files that run at once
 * never see each other. A `test.concurrent` has one of its own. Needs `ensure-migrated/vitest/setup` in `globalSetup`.
 */
export const test: TestAPI<{ db: TestDatabase }> = databaseTest({ db: 'default' });

/** The same with other fixtures: a name for each, and the `name` that its setup was given. For projects with several databases. */
export function databaseTest<Name extends string>(databases: Readonly<Record<Name, string>>): TestAPI<Record<Name, TestDatabase>> {
  const entries = Object.entries<string>(databases).map(([fixture, name]) => [fixture, fixtureOf(name)]);
  const lanes = [openWorkerLanes, { scope: 'worker' }];
  // Its types want each fixture written out.
  const extensible = base as unknown as { extend(fixtures: object): TestAPI<Record<Name, TestDatabase>> };
  return extensible.extend({ testLanes: lanes, ...(Object.fromEntries(entries) as object) });
}

// eslint-disable-next-line no-empty-pattern -- vitest reads the fixtures wanted from this pattern
async function openWorkerLanes({}: object, use: (lanes: Lanes) => Promise<void>): Promise<void> {
  const lanes = openLanes({ ticketOf, knexOf });
  await use(lanes);
  await lanes.close();
}

interface Context {
  readonly testLanes: Lanes;
  readonly task: {
    readonly concurrent?: boolean;
    readonly file: { readonly meta: object };
    readonly result?: { state: string; errors?: { message: string; stack?: string }[] };
  };
}

function fixtureOf(name: string) {
  return async ({ testLanes, task }: Context, use: (db: TestDatabase) => Promise<void>): Promise<void> => {
    const { keepFailed, onLeak, password } = testLanes.ticketOf(name);
    const tally = openTally(task.file.meta, name);
    const db = await (task.concurrent ? testLanes.takeAlone(name, tally) : testLanes.take(name, tally));
    await use(db);
    if (keepFailed && task.result?.state === 'fail') {
      const url = await db.keep();
      tellKept(task, password === 'shown' ? url : redact(url));
    } else if (onLeak === 'error') await timed(tally, async () => await db.reset()); // the test that has left something open is the one to fail
    if (task.concurrent) await db.release();
  };
}

function tellKept({ result }: Context['task'], url: string): void {
  for (const error of result?.errors ?? []) {
    const message = `${error.message}\n\nThe database of this test is kept: ${url}`;
    if (error.stack !== undefined) error.stack = error.stack.replace(error.message, message);
    error.message = message;
  }
}

function ticketOf(name: string): Ticket {
  const ticket = (inject as (key: string) => unknown)(ticketKey(name)) as Ticket | undefined;
  if (ticket !== undefined) return ticket;
  const where = name === 'default' ? '' : ` for the database "${name}"`;
  throw new MigrationError('EM_TEST_SERVER', `no test databases were set up${where}`, {
    remedy: `Add 'ensure-migrated/vitest/setup' to \`globalSetup\` in the configuration of vitest.`,
  });
}

// Only a knex can say more than a URL: which names it maps, what it does with each connection.
async function knexOf({ configured, url }: Ticket) {
  if (configured === undefined) return undefined;
  return (await loadConfigFile({ directory: configured, flags: { connection: url } })).options.knex;
}
