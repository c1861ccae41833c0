import { describe, expect, test } from 'vitest';
import { plan, script, upgrade } from '../../src/commands/index.js';
import { addCheck, addIndexConcurrently, setNotNull } from '../../src/index.js';
import { boot, expectAtHead } from '../boot/fixture.js';
import { makeInstalled } from '../support/directories.js';
import { runKnex } from '../support/knex-cli.js';
import { loadedBy } from '../support/loaded.js';
import { psqlTool, runPsql } from '../support/psql.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { describeWith } from '../support/tools.js';
import { bootWith, shapeOf } from './fixture.js';

const tables = `export const up = async (knex) => await knex.raw(\`create table ran (name text); insert into ran values ('01_tables.js');
  create table customers (id int primary key); create table orders (id int primary key, customer int, total int); insert into orders values (1, 1, 1)\`);
export const down = async () => undefined;`;

const changing = (body: string, transaction = false): string => `import * as steps from 'ensure-migrated';
export const config = { transaction: ${transaction} };
export const up = async (knex) => { ${body} };
export const down = async () => undefined;`;

const index = `await steps.addIndexConcurrently(knex, { table: 'orders', name: 'orders_idx', columns: ['customer'] });`;
const required = `await steps.setNotNull(knex, { table: 'orders', column: 'customer' });`;
const token = `await steps.addColumnWithVolatileDefault(knex, { table: 'orders', column: 'token', type: 'uuid', default: 'gen_random_uuid()' });`;
const names = ['01_tables.js', '02_change.js'];

async function makeScene(change: string): Promise<{ database: TestDatabase; directory: string }> {
  const files = { 'package.json': '{ "type": "module" }', '01_tables.js': tables, '02_change.js': change };
  return { database: await createDatabase(), directory: await makeInstalled(files) };
}

async function makeTables(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query('create table orders (id int primary key, customer int, total int); insert into orders values (1, 1, 1)');
  return database;
}

describe('in a transactional migration', () => {
  test('is one clear error before anything is changed, and the migration leaves nothing', async () => {
    const { database, directory } = await makeScene(changing(`await knex.raw('create table beside (id int)'); ${index}`, true));
    await expect(boot(database, directory)).rejects.toMatchObject({
      code: 'EM_DDL_REFUSED',
      message: [
        '02_change.js: addIndexConcurrently was called in a transaction: the server refuses create index concurrently there',
        'Add `export const config = { transaction: false }` to the migration. Nothing was changed.',
      ].join('\n  '),
    });
    expect(await database.query(`select to_regclass('beside') as beside, to_regclass('orders_idx') as idx`)).toEqual([
      { beside: null, idx: null },
    ]);
  });
});

describe('a reader that holds the table', () => {
  test('has the one statement that waits taken back and sent again, not those before it', async () => {
    const database = await makeTables();
    const reader = await database.connect();
    await reader.query('begin; select from orders');
    const retried: unknown[] = [];
    const onProgress = ({ event, ...fields }: { readonly event: string }): void => {
      if (event === 'step.retried' && retried.push(fields) === 2) void reader.query('commit');
    };
    const booted = bootWith(database, async (knex) => await setNotNull(knex, { table: 'orders', column: 'customer' }), {
      onProgress,
      timeouts: { harmMs: 20 },
    });
    const others = setInterval(() => void database.query('select count(*) from orders'), 20);
    await booted.finally(() => clearInterval(others));
    expect(retried.length).toBeGreaterThanOrEqual(2);
    expect((await shapeOf(database, 'orders')).columns[1]).toMatchObject({ required: true });
    const sent = await database.query(
      `select detail ->> 'summary' as summary from knex_migrations_journal where detail ->> 'kind' = 'resumable' order by id`,
    );
    expect(sent.map(({ summary }) => summary as string)).toEqual([
      'alter table "orders" add constraint "ensure_migrated_not_null_customer" check',
      'alter table "orders" validate constraint "ensure_migrated_not_null_customer"',
      'alter table "orders" alter column "customer" set not null',
      'alter table "orders" drop constraint "ensure_migrated_not_null_customer"',
    ]);
  });
});

describe('rows that break a constraint', () => {
  test('fail the boot, which says what is done already; mended, the next boot goes on by itself', async () => {
    const database = await makeTables();
    const change = async () =>
      await bootWith(database, async (knex) => await addCheck(knex, { table: 'orders', name: 'paid', expression: 'total > 1' }));
    await expect(change()).rejects.toMatchObject({
      code: 'EM_MIGRATION_FAILED',
      exitCode: 78,
      message: expect.stringMatching(
        /23514[^]*already done outside a transaction: alter table "orders" add constraint "paid" check/,
      ) as string,
      remedy: expect.not.stringContaining('record it') as string,
    });
    expect((await shapeOf(database, 'orders')).constraints).toMatchObject([{ name: 'paid', valid: false }]);
    await database.query('update orders set total = 2');
    await expect(change()).resolves.toMatchObject({ status: 'migrated' });
    expect((await shapeOf(database, 'orders')).constraints).toMatchObject([{ name: 'paid', valid: true }]);
  });

  test('and a refusal leave nothing that a person has to look at', async () => {
    const database = await makeTables();
    await database.query('create index taken on orders (total)');
    const change = async () =>
      await bootWith(database, async (knex) => await addIndexConcurrently(knex, { table: 'orders', name: 'taken', columns: ['customer'] }));
    await expect(change()).rejects.toMatchObject({ code: 'EM_DDL_REFUSED' });
    await expect(change()).rejects.toMatchObject({ code: 'EM_DDL_REFUSED' });
    expect(
      await database.query(
        `select detail ->> 'status' as status from knex_migrations_journal where kind = 'attempt' order by id desc limit 1`,
      ),
    ).toEqual([{ status: 'undone' }]);
  });
});

describe('plan', () => {
  test('shows the statements: exact where the table is there, approximate before that, and after a statement that the next call looks at', async () => {
    const writesOf = (statements: readonly { readonly sql: string }[] = []) =>
      statements.map(({ sql }) => sql).filter((sql) => !/^(select|explain)/.test(sql.trim()));
    const build = 'create index concurrently "orders_idx" on "orders" ("customer") /* ensure-migrated: resumable */';
    const { database, directory } = await makeScene(changing(index));
    const options = { connection: database.url, migrations: directory, logger: false } as const;
    const [, ahead] = (await plan(options)).steps;
    expect([ahead?.exactness, writesOf(ahead?.statements)]).toEqual(['approximate', [build]]);
    await upgrade(options, { target: { steps: 1 } });
    const [planned] = (await plan(options)).steps;
    expect([planned?.exactness, writesOf(planned?.statements)]).toEqual(['exact', [build]]);
    const both = await makeScene(changing(`${index} ${required}`));
    const [step] = (await plan({ ...options, migrations: both.directory })).steps;
    expect([step?.exactness, writesOf(step?.statements)]).toEqual([
      'approximate',
      [
        build,
        expect.stringMatching(/^alter table "orders" add constraint .* not valid/),
        expect.stringMatching(/^alter table "orders" validate constraint/),
        expect.stringMatching(/^alter table "orders" alter column "customer" set not null/),
        expect.stringMatching(/^alter table "orders" drop constraint/),
      ],
    ]);
  });
});

describeWith(psqlTool, 'script', () => {
  test('without a server refuses; with a scratch database it has the statements, which the next boot would settle', async () => {
    const { database, directory } = await makeScene(changing(`${index} ${required} ${token}`));
    const options = { connection: database.url, migrations: directory, logger: false } as const;
    await expect(script(options)).rejects.toMatchObject({ code: 'EM_SCRIPT_REFUSED' });
    const { sql } = await script(options, { scratch: true });
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 0, stderr: '' });
    const { columns, indexes } = await shapeOf(database, 'orders');
    expect([columns[1]?.['required'], indexes]).toMatchObject([true, [{ name: 'orders_idx', valid: true }]]);
    expect(await database.query('select count(token)::int as count from orders')).toEqual([{ count: 1 }]);
    const kinds = await database.query(
      `select distinct detail ->> 'kind' as kind from knex_migrations_journal where kind = 'statement' order by 1`,
    );
    expect(kinds.map(({ kind }) => kind as string)).toEqual(['create-index-concurrently', 'resumable']);
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'in-sync' });
  });
});

test("knex's own command line runs them, and refuses them in a transaction with the same words", async () => {
  const { database, directory } = await makeScene(changing(`${index} ${required} ${token}`));
  expect(await runKnex('migrate:latest', { url: database.url, directory })).toMatchObject({ code: 0 });
  expect((await shapeOf(database, 'orders')).indexes).toMatchObject([{ name: 'orders_idx', valid: true }]);
  await boot(database, directory);
  await expectAtHead(database, { history: names, ran: ['01_tables.js'] });
  const other = await makeScene(changing(index, true));
  const { code, stderr } = await runKnex('migrate:latest', { url: other.database.url, directory: other.directory });
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Add `export const config = { transaction: false }` to the migration') as string,
  });
});

test('costs the import of one small file until it is called', async () => {
  const { own, packages } = await loadedBy('');
  expect(own.filter((name) => name.startsWith('ddl/'))).toEqual(['ddl/index.js']);
  expect(packages.filter((name) => ['knex', 'libpg-query'].includes(name))).toEqual([]);
});
