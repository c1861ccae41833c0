import { describe, expect, test } from 'vitest';
import { boot, expectAtHead, historyOf } from '../boot/fixture.js';
import { holdersOf, poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { makeInstalled } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { shapeOf } from './fixture.js';

const [first, second] = ['01_tables.js', '02_change.js'];

const tables = `export const up = async (knex) => await knex.raw(\`
  create table ran (name text); insert into ran values ('${first}');
  create table customers (id int primary key);
  create table orders (id int primary key, customer int, total int);
  insert into customers values (1); insert into orders select n, 1, n from generate_series(1, 30) n;
  create index old_idx on orders (total);
  create table events (id int, at int) partition by range (at);
  create table events_1 partition of events for values from (0) to (10)\`);
export const down = async () => undefined;`;

/** A migration that does this; where KILL is set, its process kills itself when the first statement that changes something was answered. */
const changing = (body: string): string => `
import * as steps from 'ensure-migrated';
export const config = { transaction: false, capture: false };
export const up = async (knex) => {
  if (process.env.KILL) knex.on('query-response', (_, { sql }) => sql.includes('resumable') && process.kill(process.pid, 'SIGKILL'));
  ${body}
};
export const down = async () => undefined;`;

async function makeScene(body: string): Promise<{ database: TestDatabase; directory: string }> {
  const files = { 'package.json': '{ "type": "module" }', [first]: tables, [second]: changing(body) };
  return { database: await createDatabase(), directory: await makeInstalled(files) };
}

/** What the last run sent that changes something. */
async function sentLast(database: TestDatabase): Promise<unknown[]> {
  const rows = await database.query(
    `select detail ->> 'summary' as summary from knex_migrations_journal where kind = 'statement' and detail ->> 'kind' <> 'read'
     and run = (select run from knex_migrations_journal where kind = 'attempt' order by id desc limit 1) order by id`,
  );
  return rows.map(({ summary }) => summary as string);
}

const healed = { history: [first, second], ran: [first] };

interface Chain {
  readonly body: string;
  readonly statements: number;
  /** Of the boot after the last kill: whether it has anything left to send. */
  readonly last: 'sends nothing' | 'fills again';
  readonly left: (database: TestDatabase) => Promise<unknown>;
  readonly like: object;
}

const fill = `await steps.addColumnWithVolatileDefault(knex, { table: 'orders', column: 'token', type: 'uuid', default: 'gen_random_uuid()', batchSize: 10 });`;

// Each boot is killed after one statement more than the one before it: if any began anew, or stopped for a person, there would be no end.
describe('kill -9 after each statement, boot after boot', () => {
  test.each<[string, Chain]>([
    [
      'of addIndexConcurrently, dropIndexConcurrently and addForeignKey in one migration',
      {
        body: `await steps.addIndexConcurrently(knex, { table: 'orders', name: 'orders_idx', columns: ['customer'] });
          await steps.dropIndexConcurrently(knex, { table: 'orders', name: 'old_idx' });
          await steps.addForeignKey(knex, { table: 'orders', name: 'orders_fkey', columns: ['customer'], references: { table: 'customers', columns: ['id'] } });`,
        statements: 4,
        last: 'sends nothing',
        left: async (database) => await shapeOf(database, 'orders'),
        like: { indexes: [{ name: 'orders_idx', valid: true }], constraints: [{ name: 'orders_fkey', valid: true }] },
      },
    ],
    [
      'of addIndexConcurrently on a partitioned table',
      {
        body: `await steps.addIndexConcurrently(knex, { table: 'events', name: 'events_idx', columns: ['id'] });`,
        statements: 3,
        last: 'sends nothing',
        left: async (database) => [(await shapeOf(database, 'events')).indexes, (await shapeOf(database, 'events_1')).indexes],
        like: [[{ valid: true }], [{ valid: true }]],
      },
    ],
    [
      'of setNotNull, which is a check to begin with',
      {
        body: `await steps.setNotNull(knex, { table: 'orders', column: 'customer' });`,
        statements: 4,
        last: 'sends nothing',
        left: async (database) => await shapeOf(database, 'orders'),
        like: { columns: [{}, { name: 'customer', required: true }, {}], constraints: [] },
      },
    ],
    [
      'of addColumnWithVolatileDefault',
      {
        body: fill,
        statements: 2,
        last: 'fills again',
        left: async (database) => await database.query('select count(distinct token)::int as count from orders'),
        like: [{ count: 30 }],
      },
    ],
  ])('%s comes to the end that one boot comes to', async (_of, { body, statements, last, left, like }) => {
    const { database, directory } = await makeScene(body);
    for (let count = 0; count < statements; count++) {
      const { signal, stdout } = await startBoot({ connection: database.url, directory }, { KILL: '1' }).ended;
      expect({ signal, count, stdout }).toMatchObject({ signal: 'SIGKILL' });
      expect(await historyOf(database)).toEqual([first]);
    }
    await expect(boot(database, directory)).resolves.toMatchObject({ applied: [{ name: second }] });
    expect(await sentLast(database)).toEqual(last === 'sends nothing' ? [] : ['do']);
    await expectAtHead(database, healed);
    expect(await left(database)).toMatchObject(like);
  });
});

describe('kill -9 in the middle of', () => {
  test('a fill: what was committed stays, and the next boot fills the rest', async () => {
    const { database, directory } = await makeScene(fill);
    const before = await makeInstalled({ 'package.json': '{ "type": "module" }', [first]: tables });
    await boot(database, before);
    await database.query('alter table orders add column token uuid, alter column token set default gen_random_uuid()');
    const writer = await database.connect();
    await writer.query('begin; update orders set total = 0 where id = 25');
    const victim = startBoot({ connection: database.url, directory });
    await waitUntilRuns(database, 'em_from');
    const readFilled = async () => await database.query('select id, token from orders where token is not null order by id');
    const some = await poll(async () => ((await readFilled()).length === 20 ? await readFilled() : undefined));
    await victim.kill();
    await writer.query('rollback');
    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined));
    await boot(database, directory);
    await expectAtHead(database, healed);
    const all = await readFilled();
    expect(all.slice(0, 20)).toEqual(some);
    expect(new Set(all.map(({ token }) => token as string)).size).toBe(30);
  });

  test('a migration that also sends a statement of its own is left to a person, as ever', async () => {
    const { database, directory } = await makeScene(
      `await knex.raw('update orders set total = total + 1'); await steps.setNotNull(knex, { table: 'orders', column: 'customer' });`,
    );
    expect(await startBoot({ connection: database.url, directory }, { KILL: '1' }).ended).toMatchObject({ signal: 'SIGKILL' });
    await expect(boot(database, directory)).rejects.toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ code: 'history-unfinished' }],
    });
    expect(await database.query('select sum(total)::int from orders')).toEqual([{ sum: (30 * 31) / 2 + 30 }]);
  });
});
