import { describe, expect, test } from 'vitest';
import { startBoot } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { snippetOf, snippetsUnder } from '../support/markdown.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot } from './fixture.js';

// What docs/operations.md tells a person to run is taken from there, word for word.
const page = 'docs/operations.md';
const asDone = snippetOf(page, 'done');
const asUndone = snippetOf(page, 'undone');
const [stillRunning = '', whichOne = '', whatItSent = ''] = snippetsUnder(page, 'An unfinished migration').map(({ text }) => text);
const [lockRow = ''] = snippetsUnder(page, `knex's stuck lock`).map(({ text }) => text);
const [holder = '', whichProcess = '', objid = ''] = snippetsUnder(page, 'Who holds the lock').map(({ text }) => text);

const name = '20260401_totals.sql';
const before = `create table orders (id int, amount int, total int);
create table ran (name text);
insert into ran values ('orders');`;
const totals = (last: string) => `-- transaction: false
-- breaking: false
create table totals (sum int);
create index concurrently totals_sum on totals (sum);
insert into ran values ('totals');
${last};`;
const broken = totals('insert into totals select sum(amout) from orders');
const correct = totals('insert into totals select sum(amount) from orders');

async function write(file: string): Promise<string> {
  return await makeDirectory({
    '20260301_orders.sql': before,
    [name]: file,
    '20260501_after.sql': `insert into ran values ('after');`,
  });
}

/** A database on which the migration has failed at its last statement, and is refused since. */
async function makeUnfinished(): Promise<{ database: TestDatabase; directory: string }> {
  const database = await createDatabase();
  const directory = await write(broken);
  await expect(boot(database, directory)).rejects.toMatchObject({
    code: 'EM_MIGRATION_FAILED',
    remedy: expect.stringContaining('record it as done or undone (docs/operations.md, "An unfinished migration")') as string,
  });
  await expectRefused(database, directory);
  return { database, directory };
}

async function expectRefused(database: TestDatabase, directory: string): Promise<void> {
  await expect(boot(database, directory)).rejects.toMatchObject({
    code: 'EM_OUT_OF_SYNC',
    findings: [{ code: 'history-unfinished', at: { migration: name } }],
  });
}

async function expectGoesOn(database: TestDatabase, directory: string, applied: readonly string[]): Promise<void> {
  await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated', applied: applied.map((each) => ({ name: each })) });
  for (const mode of ['apply', 'wait', 'verify'] as const)
    await expect(boot(database, directory, { mode })).resolves.toMatchObject({ status: 'in-sync', findings: [] });
  expect(await database.query('select name from ran')).toEqual([{ name: 'orders' }, { name: 'totals' }, { name: 'after' }]);
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
}

describe('a person who mends an unfinished migration as docs/operations.md says', () => {
  test('sees which one it is, and what it had sent', async () => {
    const { database } = await makeUnfinished();
    expect(await database.query(holder)).toEqual([]);
    expect(await database.query(stillRunning)).toEqual([]);
    expect(await database.query(whichOne)).toMatchObject([{ migration: name, status: 'unfinished', sqlstate: '42703' }]);
    expect(await database.query(whatItSent)).toMatchObject([
      { number: 1, statement: 'create table totals', refused: false },
      { number: 2, statement: 'create index concurrently totals_sum on totals', refused: false },
      { number: 3, statement: 'insert into ran', refused: false },
      { number: 4, refused: true },
    ]);
    expect(await database.query(whichProcess)).toMatchObject([{ state: 'failed' }]);
  });

  test('records it as undone: the next boot runs the corrected file from its first statement', async () => {
    const { database } = await makeUnfinished();
    await database.query(`drop table totals; delete from ran where name = 'totals'`);
    expect(await database.query(asUndone)).toEqual([{ migration: name, status: 'undone' }]);
    expect(await database.query(asUndone)).toEqual([]);
    expect(await database.query(whichOne)).toEqual([]);
    await expectGoesOn(database, await write(correct), [name, '20260501_after.sql']);
    expect(await database.query('select sum from totals')).toHaveLength(1);
  });

  test('records it as done: the next boot goes on with the migration after it', async () => {
    const { database, directory } = await makeUnfinished();
    await database.query('insert into totals select sum(amount) from orders');
    expect(await database.query(asDone)).toEqual([{ migration: name, status: 'done' }]);
    expect(await database.query(asDone)).toEqual([]);
    expect(await database.query(asUndone)).toEqual([]);
    expect(await database.query(whichOne)).toEqual([]);
    await expectGoesOn(database, directory, ['20260501_after.sql']);
    expect(await database.query('select name, batch from knex_migrations order by id')).toEqual([
      { name: '20260301_orders.sql', batch: 1 },
      { name, batch: 1 },
      { name: '20260501_after.sql', batch: 2 },
    ]);
  });

  test('records it as done and corrects the file: without the old checksum that is no edit', async () => {
    const { database } = await makeUnfinished();
    const directory = await write(correct);
    const forgetting = asDone.replace(`detail || '`, `(detail - 'checksum') || '`);
    expect(forgetting).not.toBe(asDone);
    expect(await database.query(forgetting)).toEqual([{ migration: name, status: 'done' }]);
    await expectGoesOn(database, directory, ['20260501_after.sql']);
  });

  test('and who forgot to leave the old checksum out finds the correction refused, and says that it is meant', async () => {
    const { database } = await makeUnfinished();
    const directory = await write(correct);
    await database.query(asDone);
    await expect(boot(database, directory)).rejects.toMatchObject({ findings: [{ code: 'history-edited', at: { migration: name } }] });
    expect(await database.query(snippetOf(page, 'edited'))).toEqual([{ migration: name, status: 'done' }]);
    await expectGoesOn(database, directory, ['20260501_after.sql']);
  });

  test('records as undone one that has committed by itself, of which the journal has no statement', async () => {
    const database = await createDatabase();
    const safe = "exports.config = { safe: { 'nested-transaction': 'what comes of it is the test' } };\n";
    const code = (text: string) => `${safe}exports.up = (knex) => knex.raw(${JSON.stringify(text)});\nexports.down = () => undefined;`;
    const file = '20260401_totals.js';
    const directory = await makeDirectory({
      '20260301_orders.sql': before,
      [file]: code('create table totals (sum int); commit; select 1'),
    });
    await expect(boot(database, directory)).rejects.toMatchObject({
      code: 'EM_TRANSACTION_BROKEN',
      remedy: expect.stringContaining('record it as done or undone') as string,
    });
    await expect(boot(database, directory)).rejects.toMatchObject({ findings: [{ code: 'history-unfinished', at: { migration: file } }] });
    expect(await database.query(whatItSent.replaceAll(name, file))).toEqual([]);
    await database.query('drop table totals');
    expect(await database.query(asUndone.replaceAll(name, file))).toEqual([{ migration: file, status: 'undone' }]);
    const mended = await makeDirectory({ '20260301_orders.sql': before, [file]: code('create table totals (sum int)') });
    await expect(boot(database, mended)).resolves.toMatchObject({ status: 'migrated', applied: [{ name: file }] });
  });

  test('has nothing to decide where only concurrent index builds were left behind', async () => {
    const database = await createDatabase();
    const indexes =
      '-- transaction: false\ncreate index concurrently by_id on orders (id);\ncreate unique index concurrently once on orders (total);';
    const directory = await makeDirectory({
      '20260301_orders.sql': `${before} insert into orders values (1, 1, 1), (2, 2, 1);`,
      [name]: indexes,
    });
    const error = await boot(database, directory).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      remedy: 'Correct the rows that do not fit, or the migration, and start the service again.',
    });
    await database.query('delete from orders where id = 2');
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated', applied: [{ name }] });
  });

  test('keeps what the author said of compatibility', async () => {
    const { database, directory } = await makeUnfinished();
    await database.query(asDone);
    await boot(database, directory);
    expect(
      await database.query(
        `select detail -> 'breaking' as breaking from knex_migrations_journal where kind = 'repair' and migration = $1`,
        [name],
      ),
    ).toEqual([{ breaking: false }]);
  });

  test('can do neither while somebody is at work, nor with a name that is not unfinished', async () => {
    const { database } = await makeUnfinished();
    const other = await database.connect();
    const [{ objid: key }] = (await database.query(objid)) as [{ objid: number }];
    await other.query('select pg_advisory_lock(1701669223, $1::bigint::bit(32)::int)', [key]);
    expect(await database.query(holder)).toMatchObject([{ application_name: 'test' }]);
    for (const statement of [asDone, asUndone]) expect(await database.query(statement)).toEqual([]);
    await other.query('select pg_advisory_unlock_all()');
    for (const statement of [asDone, asUndone]) expect(await database.query(statement.replaceAll(name, '20260301_orders.sql'))).toEqual([]);
    expect(await database.query(asUndone)).toHaveLength(1);
  });
});

test('a killed process: its lock is the one that the document computes, and what it left is mended in the same way', async () => {
  const database = await createDatabase();
  const directory = await write(totals('select pg_sleep(300)'));
  const victim = startBoot({ connection: database.url, directory });
  await expect
    .poll(async () => (await database.query(stillRunning)).map(({ query }) => query as string), { timeout: 20_000 })
    .toEqual([expect.stringContaining('pg_sleep')]);
  const [{ objid: key }] = (await database.query(objid)) as [{ objid: number }];
  expect(
    await database.query(`select objid from pg_locks where locktype = 'advisory' and pid = ${(await database.query(holder))[0]!['pid']}`),
  ).toEqual([{ objid: key }]);
  expect(await database.query(whichProcess)).toMatchObject([
    { state: 'active', process: String(victim.pid), migration: name, step: '2', of: '3' },
  ]);
  expect(await database.query(asDone)).toEqual([]); // it is at work
  await victim.kill();
  await expect.poll(async () => await database.query(stillRunning), { timeout: 20_000 }).toEqual([]);
  expect(await database.query(lockRow)).toEqual([{ is_locked: 1, last_run: 'active', set_by_it: true }]);
  await expectRefused(database, directory);
  expect(await database.query(whichOne)).toMatchObject([{ migration: name, status: 'started' }]);
  expect(await database.query(asDone)).toEqual([{ migration: name, status: 'done' }]);
  await expectGoesOn(database, directory, ['20260501_after.sql']);
});
