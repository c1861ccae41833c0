import { expect, test } from 'vitest';
import { isMigrationError } from '../../src/index.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, expectHealed, first, migrationsOf } from './fixture.js';

const names = [first, '02_index.js', '03_author.js', '04_flag.sql'];
const head = { history: names, ran: [first, '03_author.js', '04_flag.sql'] };

async function history(): Promise<string> {
  return await migrationsOf({
    '02_index.js': { transaction: false, statements: ['create index concurrently notes_title_idx on notes (title)'] },
    '03_author.js': { statements: ['alter table notes add column author text'] },
    '04_flag.sql': { statements: ['alter table notes add column flag boolean'] },
  });
}

/** Cuts the connections at the n-th message: before it reaches the server, or when the server has carried it out and before its answer arrives. */
function cutAt(proxy: Proxy, n: number, what: 'dropRequest' | 'dropReplyOf'): void {
  for (let before = 1; before < n; before++) proxy.hold('').release();
  void proxy[what]('');
}

async function tryToBoot(database: TestDatabase, directory: string, proxy: Proxy): Promise<string> {
  try {
    const { status } = await boot({ url: proxy.urlOf(database.url) }, directory);
    return status;
  } catch (error) {
    if (!isMigrationError(error)) throw error;
    return error.code;
  }
}

/** Boots through a proxy that cuts at the n-th message; gives what that boot came to, and undefined when it has no n-th message. */
async function cutAndHeal(directory: string, n: number, what: 'dropRequest' | 'dropReplyOf'): Promise<string | undefined> {
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  cutAt(proxy, n, what);
  const outcome = await tryToBoot(database, directory, proxy);
  await expectHealed(database, directory, head);
  await database.drop();
  return proxy.counts().statements.length < n ? undefined : outcome;
}

const ways = ['dropRequest', 'dropReplyOf'] as const;

// By turns in one way and the other; `npm run soak` has a boot die at each message in both.
test('cut off at any message, the next boot reaches head and runs nothing twice', async () => {
  const directory = await history();
  const outcomes: (string | undefined)[] = [];
  while (!outcomes.includes(undefined)) {
    const next = [1, 2, 3, 4].map(async (index) => await cutAndHeal(directory, outcomes.length + index, ways[index % 2]!));
    outcomes.push(...(await Promise.all(next)));
  }
  expect(outcomes.length).toBeGreaterThan(20);
  // Cut at a message of the watching connection, a boot goes on without it.
  expect(outcomes.filter((outcome) => outcome !== 'EM_LOST_SESSION' && outcome !== 'migrated' && outcome !== undefined)).toEqual([]);
}, 120_000);
