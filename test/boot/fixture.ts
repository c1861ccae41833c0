import { createRequire } from 'node:module';
import { expect } from 'vitest';
import { ensureMigrated, type Options, type Outcome } from '../../src/index.js';
import { holdersOf } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import type { Script } from '../support/process.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

/** What a migration of these tests does, in order; each is one statement. */
export interface Recipe {
  readonly statements: readonly string[];
  readonly transaction?: boolean;
  /** JavaScript that runs after the statements, in the process whose environment variable STALL names the migration. */
  readonly stall?: string;
}

/** A stall in the server, for longer than any test lasts. */
export const sleepsInServer = `await knex.raw('select pg_sleep(300)');`;
/** A stall in the process, with nothing on its way to the server. */
export const sleepsInProcess = `
    console.log('{"event":"stalled"}');
    await new Promise((resolve) => setTimeout(resolve, 300_000));`;

const { resolve } = createRequire(import.meta.url);

/** A stall inside COPY FROM STDIN, where the server waits for the process, as for any that is at work. */
export const sleepsInCopy = `
    const { from } = require(${JSON.stringify(resolve('pg-copy-streams'))});
    const connection = await knex.client.acquireConnection();
    const stream = connection.query(from('copy notes (id) from stdin'));
    await new Promise((resolve, reject) => {
      stream.on('error', reject).write('1\\n');
      setTimeout(() => stream.end(), 300_000);
    });`;

/** Copies in one row each 300 ms, for 6 s. */
export const copiesSlowly = `
    const { from } = require(${JSON.stringify(resolve('pg-copy-streams'))});
    const { setTimeout: sleep } = require('node:timers/promises');
    async function* rows() {
      for (let id = 0; id < 20; id++) {
        await sleep(300);
        yield id + '\\n';
      }
    }
    const connection = await knex.client.acquireConnection();
    await require('node:stream/promises').pipeline(rows(), connection.query(from('copy notes (id) from stdin')));`;

/** Reads twenty rows through a cursor, two each 600 ms, for 6 s. */
export const readsSlowly = `
    const QueryStream = require(${JSON.stringify(resolve('pg-query-stream'))});
    const { setTimeout: sleep } = require('node:timers/promises');
    const connection = await knex.client.acquireConnection();
    const stream = connection.query(new QueryStream('select generate_series(1, 20)', [], { batchSize: 2, highWaterMark: 2 }));
    for await (const row of stream) await sleep(300);`;

/**
 * A directory of migrations: the first makes the tables `ran` and `notes`, then come the given ones. Each transactional one writes its
 * name into `ran`, so that a second run shows; outside a transaction that would be a statement that cannot be looked up afterwards.
 */
export async function migrationsOf(recipes: Readonly<Record<string, Recipe>>): Promise<string> {
  const all = { [first]: { statements: ['create table notes (id int, title text)'] }, ...recipes };
  return await makeDirectory(Object.fromEntries(Object.entries(all).map(([name, recipe]) => [name, render(name, recipe)])));
}

export const first = '01_notes.js';

function render(name: string, { statements, transaction = true, stall = '' }: Recipe): string {
  const table = name === first ? ['create table ran (name text)'] : [];
  const all = [...table, ...(transaction ? [`insert into ran values ('${name}')`] : []), ...statements];
  if (name.endsWith('.sql')) return `${transaction ? '' : '-- transaction: false\n'}${all.join(';\n')};\n`;
  return `exports.config = { transaction: ${transaction}, capture: ${stall === ''} };
exports.up = async (knex) => {
  for (const statement of ${JSON.stringify(all)}) await knex.raw(statement);
  if (process.env.STALL === '${name}') {${stall}}
};
exports.down = async () => undefined;
`;
}

/** Boots in this process; silent. */
export async function boot(database: Pick<TestDatabase, 'url'>, directory: string, options: Options = {}): Promise<Outcome> {
  return await ensureMigrated({ connection: database.url, migrations: directory, logger: false, ...options });
}

export async function ranIn(database: TestDatabase): Promise<string[]> {
  return (await database.query('select name from ran order by name')).map(({ name }) => name as string);
}

export async function historyOf(database: TestDatabase): Promise<string[]> {
  return (await database.query('select name from knex_migrations order by id')).map(({ name }) => name as string);
}

/** Boots again, and holds what every test here must end with: head reached without a human, nothing ran twice, nothing stays locked. */
export async function expectHealed(database: TestDatabase, directory: string, { options, ...head }: Healed): Promise<Outcome> {
  const outcome = await boot(database, directory, options);
  await expectAtHead(database, head);
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'in-sync', applied: [] });
  return outcome;
}

interface Head {
  readonly history: readonly string[];
  /** What stands in `ran`. Default: the history. */
  readonly ran?: readonly string[];
}

interface Healed extends Head {
  /** Of the boot that heals. */
  readonly options?: Options;
}

export async function expectAtHead(database: TestDatabase, { history, ran = history }: Head): Promise<void> {
  expect(await historyOf(database)).toEqual(history);
  expect(await ranIn(database)).toEqual(ran);
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  expect(await database.query('select indexrelid::regclass::text from pg_index where not indisvalid')).toEqual([]);
  expect(await holdersOf(database)).toEqual([]);
}

/** The index and its identity: built again, it would be another one. */
export async function indexOf(database: TestDatabase, name: string): Promise<{ oid: number; valid: boolean } | undefined> {
  const [row] = await database.query(
    'select indexrelid::int as oid, indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
    [name],
  );
  return row as { oid: number; valid: boolean } | undefined;
}

/** A database, and a directory whose second migration stalls where STALL asks for it. */
export async function stallingScene(stall: string, transaction: 'in a transaction' | 'outside' = 'in a transaction') {
  const recipe =
    transaction === 'outside' ? { transaction: false, statements: [] } : { statements: ['alter table notes add column author text'] };
  return { database: await createDatabase(), directory: await migrationsOf({ [second]: { ...recipe, stall } }) };
}

export const second = '02_second.js';

/** Stalls in the process, and then goes on as if nothing had happened. */
export function goesOnAfter(ms: number): string {
  return `
    console.log('{"event":"stalled"}');
    await new Promise((resolve) => setTimeout(resolve, ${ms}));
    await knex.raw('create table beside (id int)');`;
}

/** The process has failed by itself with EM_LOST_SESSION, and ended with the code for "try again". */
export async function expectLost(script: Script, message: RegExp): Promise<void> {
  expect(await script.waitForEvent('service.failed')).toMatchObject({
    code: 'EM_LOST_SESSION',
    retryable: true,
    message: expect.stringMatching(message) as string,
  });
  expect(await script.ended).toMatchObject({ code: 75 });
}

/** The successor ran the second migration once, and the one that was cut off added nothing to it. */
export async function expectOneApplier(
  database: TestDatabase,
  successor: Script,
  head: Head = { history: [first, second] },
): Promise<void> {
  const { outcome } = await successor.waitForEvent('service.ready');
  expect(outcome).toMatchObject({ status: 'migrated', applied: [{ name: second }] });
  expect(await database.query(`select to_regclass('beside') as beside`)).toEqual([{ beside: null }]);
  await expectAtHead(database, head);
}

/** How long a process that is told to stop may take. */
export const stopLimitMs = 2_000;

/** Sends the signal; resolves when the process has ended, which must be by that signal, soon, with EM_ABORTED. */
export async function stopWith(signal: 'SIGTERM' | 'SIGINT', script: Script): Promise<void> {
  const sentAt = performance.now();
  script.signal(signal);
  // A shell reports an end by SIGTERM as 143, by SIGINT as 130.
  expect(await script.ended).toMatchObject({ signal, code: null });
  expect(performance.now() - sentAt).toBeLessThan(stopLimitMs);
  expect(await script.waitForEvent('boot.failed')).toMatchObject({
    code: 'EM_ABORTED',
    message: expect.stringContaining(signal) as string,
  });
}
