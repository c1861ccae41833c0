import path from 'node:path';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { ensureMigrated, type MigrationError, type Options, type Outcome } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { failureOf } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

type Files = Readonly<Record<string, string>>;

const up = (body: string, config: object = {}) =>
  `exports.config = ${JSON.stringify(config)};\nexports.up = async (knex) => { ${body} };\nexports.down = async () => undefined;\n`;
const raw = (sql: string, config: object = {}) => up(`await knex.raw(${JSON.stringify(sql)});`, config);

interface Place {
  readonly database: TestDatabase;
  boot(files: Files, options?: Options): Promise<Outcome>;
  refused(files: Files, options?: Options): Promise<MigrationError>;
  /** The tables, indexes and columns that there are, and what is recorded. */
  contents(): Promise<unknown>;
  /** The journal's last word on a migration. */
  recorded(migration: string): Promise<unknown>;
}

async function makePlace(sql = ''): Promise<Place> {
  const database = await createDatabase();
  const boot = async (files: Files, options: Options = {}) => {
    const migrations = await makeDirectory(files);
    return await ensureMigrated({ connection: database.url, migrations, logger: false, lint: { smallTableRows: 1000 }, ...options });
  };
  await boot({ '00_first.js': raw(`create table orders (id int, note text); ${sql || 'select 1'}`) });
  return {
    database,
    boot: async (files, options) => await boot({ '00_first.js': first(sql), ...files }, options),
    refused: async (files, options) => await failureOf(boot({ '00_first.js': first(sql), ...files }, options)),
    contents: async () =>
      await database.query(`select (select array_agg(relname::text order by relname) from pg_class where relnamespace = 'public'::regnamespace) as relations,
        (select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0) as columns,
        (select array_agg(name) from knex_migrations) as history, (select is_locked from knex_migrations_lock) as locked`),
    recorded: async (migration) => {
      const [row] = await database.query(
        `select detail from knex_migrations_journal where kind = 'attempt' and migration = $1 order by id desc limit 1`,
        [migration],
      );
      return row?.['detail'] as unknown;
    },
  };
}

async function openClient(url: string) {
  const client = new pg.Client(url);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: async () => await client.end() });
}

const first = (sql: string) => raw(`create table orders (id int, note text); ${sql || 'select 1'}`);
const large = 'insert into orders select g from generate_series(1, 20000) g';
const createIndex = 'create index orders_id_idx on orders (id)';

describe('a pending migration that would harm a large table', () => {
  test('is refused before anything is changed, with the statement made safe, which passes', async () => {
    const place = await makePlace(large);
    const before = await place.contents();
    const error = await place.refused({ '01_good.js': raw('create table fine (id int)'), '02_index.js': raw(createIndex) });
    expect(error).toMatchObject({
      code: 'EM_CHECK_FAILED',
      exitCode: 78,
      findings: [
        {
          code: 'create-index-blocking',
          level: 'error',
          message: expect.stringMatching(
            /^create index locks "orders" \(\d+ kB, about [\d,]+ rows\) in SHARE mode: every write to it waits/,
          ) as string,
          at: { migration: '02_index.js', file: expect.stringContaining('02_index.js') as string, line: 2 },
        },
      ],
    });
    expect(await place.contents()).toEqual(before);
    const safe = /`(CREATE INDEX CONCURRENTLY [^`]+)`/.exec(error.findings[0]?.remedy ?? '')?.[1] ?? '';
    const outcome = await place.boot({ '02_index.js': raw(safe, { transaction: false }) });
    expect(outcome).toMatchObject({ status: 'migrated', findings: [] });
  });

  test('has five million rows: the same', async () => {
    const place = await makePlace();
    await place.database.query('insert into orders select generate_series(1, 5000000)');
    const [finding] = (await place.refused({ '01_index.js': raw(createIndex) }, { lint: {} })).findings;
    expect(finding?.message).toMatch(/"orders" \(\d+ MB, about \d,\d00,000 rows\)/);
  });

  test.each([
    ['an empty one', '', {}],
    ['a small one', 'insert into orders select generate_series(1, 50)', {}],
    ['one that is smaller than the option says', large, { lint: { smallTableRows: 100_000 } }],
    ['one that is excepted', large, { rules: { 'create-index-blocking': { level: 'error', except: ['orders'] } } }],
    ['a migration that is excepted', large, { rules: { 'create-index-blocking': { level: 'error', except: ['01_index'] } } }],
    ['the rule off', large, { rules: { 'create-index-blocking': 'off' } }],
    ['a later beginning of the lint', large, { lint: { from: '02_later', smallTableRows: 1000 } }],
    ['no lint', large, { lint: false }],
  ] as const)('passes with %s', async (_what, sql, options) => {
    const place = await makePlace(sql);
    expect(await place.boot({ '01_index.js': raw(createIndex), '02_later.js': raw('select 1') }, options)).toMatchObject({
      status: 'migrated',
      findings: [],
    });
  });

  test('passes as a warning, which the outcome has', async () => {
    const place = await makePlace(large);
    const outcome = await place.boot({ '01_index.js': raw(createIndex) }, { rules: { 'create-index-blocking': 'warn' } });
    expect(outcome).toMatchObject({ status: 'migrated', findings: [{ code: 'create-index-blocking', level: 'warn' }] });
  });

  test('is found in a script, with its line', async () => {
    const place = await makePlace(large);
    const error = await place.refused({ '01_index.sql': `-- first\nselect 1;\n\n${createIndex};\n` });
    expect(error.findings.at(-1)).toMatchObject({ code: 'create-index-blocking', at: { migration: '01_index.sql', line: 4 } });
  });

  test('is not told twice of what a check has found in a script too', async () => {
    const place = await makePlace();
    const error = await place.refused({ '01_index.sql': createIndex.replace('index', 'index concurrently') });
    expect(error.findings.filter(({ level }) => level === 'error')).toMatchObject([{ code: 'sql-non-transactional' }]);
  });

  test('passes where it says why it is safe, and the journal has the reason', async () => {
    const place = await makePlace(large);
    const safe = { 'create-index-blocking': 'nobody writes to it before release 42' };
    await place.boot({
      '01_index.js': raw(createIndex, { safe }),
      '02_index.sql': `-- safe: create-index-blocking: nor here\n${createIndex.replace('idx', 'two')};`,
    });
    expect(await place.recorded('01_index.js')).toMatchObject({ safe });
    expect(await place.recorded('02_index.sql')).toMatchObject({ safe: { 'create-index-blocking': 'nor here' } });
  });

  test.each([
    ['names no rule', { 'create-index-blokking': 'x' }, /is no rule of the lint; did you mean "create-index-blocking"/],
    ['gives no reason', { 'create-index-blocking': ' ' }, /gives no reason for create-index-blocking/],
    ['is no object', true, /\.safe is not an object of rules and reasons/],
  ])('an opt-out that %s is refused', async (_what, safe, message) => {
    const place = await makePlace();
    const error = await place.refused({ '01_index.js': raw(createIndex, { safe }) });
    expect(error).toMatchObject({ code: 'EM_MIGRATION_INVALID', findings: [{ message: expect.stringMatching(message) as string }] });
  });
});

describe('what the capture could not see', () => {
  const decides = `await knex.raw('create table late (id int)');
    await knex('orders').update({ note: 'x' }).where({ id: 1 });
    const { rows: [{ count }] } = await knex.raw("select count(*) from orders where note = 'x'");
    if (Number(count) > 0) await knex.raw(${JSON.stringify(createIndex)});`;

  test.each([
    [
      'by its config',
      up(`await knex.raw('alter table orders add column late int'); await knex.raw(${JSON.stringify(createIndex)});`, { capture: false }),
    ],
    ['by what it has just changed', up(decides)],
    [
      'although it swallows the error',
      up(
        `await knex.raw('alter table orders add column late int'); await knex.raw(${JSON.stringify(createIndex)}).catch(() => undefined);`,
        { capture: false },
      ),
    ],
  ])('is refused when it is about to be sent, and rolled back: %s', async (_how, text) => {
    const place = await makePlace(large);
    const before = await place.contents();
    const error = await place.refused({ '01_late.js': text });
    expect(error).toMatchObject({
      code: 'EM_STATEMENT_REFUSED',
      message: expect.stringMatching(/^01_late\.js was about to send what the lint refuses/) as string,
      findings: expect.arrayContaining([expect.objectContaining({ code: 'create-index-blocking', level: 'error' })]) as unknown,
    });
    expect(await place.contents()).toEqual(before);
    expect(await place.boot({ '01_late.js': raw('alter table orders add column late int') })).toMatchObject({ status: 'migrated' });
  });

  test.each([
    ['that was dropped', 'drop table orders'],
    ['that was made anew', 'drop table orders; create table orders (id int)'],
  ])('a table %s in a savepoint that was rolled back is still the large one', async (_how, sql) => {
    const place = await makePlace(large);
    const body = `await knex.transaction(async (trx) => { await trx.raw(${JSON.stringify(sql)}); throw new Error('back'); }).catch(() => undefined);
      await knex.raw(${JSON.stringify(createIndex)});`;
    expect(await place.refused({ '01_late.js': up(body) })).toMatchObject({ code: 'EM_CHECK_FAILED' });
    expect(await place.refused({ '01_late.js': up(body, { capture: false }) })).toMatchObject({ code: 'EM_STATEMENT_REFUSED' });
  });

  test('outside a transaction what was sent before stays, and is said', async () => {
    const place = await makePlace(large);
    const text = up(`await knex.raw('alter table orders add column late int'); await knex.raw(${JSON.stringify(createIndex)});`, {
      capture: false,
      transaction: false,
    });
    const error = await place.refused({ '01_late.js': text });
    expect(error).toMatchObject({
      code: 'EM_STATEMENT_REFUSED',
      message: expect.stringContaining('alter table orders add column') as string,
    });
    expect(await place.contents()).toMatchObject([{ columns: ['id', 'note', 'late'], locked: 0 }]);
    expect(await place.refused({ '01_late.js': text })).toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ code: 'history-unfinished' }],
    });
  });

  test.each([
    ['too long to be parsed', `create table late (id int);${' '.repeat(1_000_000)}`],
    ['in a syntax of a newer server', 'do $x$ begin execute $$create table late (id int)$$; end $x$; \\'],
  ])('a script that is %s is sent all the same, and counts as breaking', async (_what, script) => {
    const place = await makePlace();
    const end = await place.boot({ '01_late.sql': script }).catch((error: unknown) => error as MigrationError);
    if ('code' in end)
      expect(end).toMatchObject({ code: 'EM_MIGRATION_FAILED' }); // the server does not know it either
    else
      expect(await place.recorded('01_late.sql')).toMatchObject({
        breaking: true,
        breaks: [expect.stringContaining('longer than 1000000')],
      });
  });

  test('a migration that throws when it is only asked is no failure', async () => {
    const place = await makePlace();
    const body = `await knex.raw('create table late (id int)'); const { rows } = await knex.raw("insert into late values (1) returning id"); if (rows[0].id !== 1) throw new Error('no');`;
    expect(await place.boot({ '01_late.js': up(body) })).toMatchObject({ status: 'migrated' });
    expect(await place.recorded('01_late.js')).toMatchObject({ breaking: false });
  });
});

describe('statements that nobody has waited for', () => {
  const together = "await Promise.all(['one', 'two', 'three', 'four'].map((name) => knex.raw('create table ' + name + ' (id int)')));";

  test.each([{}, { transaction: false }])('are each judged, and all of them done: %j', async (config) => {
    const place = await makePlace();
    expect(await place.boot({ '01_late.js': up(together, { capture: false, ...config }) })).toMatchObject({ status: 'migrated' });
    expect(await place.contents()).toMatchObject([
      { relations: expect.arrayContaining(['one', 'two', 'three', 'four']) as unknown, locked: 0 },
    ]);
  });

  test('belong to their migration also where it forgot them', async () => {
    const place = await makePlace(large);
    const forgets = (sql: string) => up(`knex.raw(${JSON.stringify(sql)}).then(() => undefined, () => undefined);`, { capture: false });
    const before = await place.contents();
    expect(await place.refused({ '01_late.js': forgets(createIndex) })).toMatchObject({ code: 'EM_STATEMENT_REFUSED' });
    expect(await place.contents()).toEqual(before);
    expect(await place.boot({ '01_late.js': forgets('alter table orders drop column note') })).toMatchObject({ status: 'migrated' });
    expect(await place.recorded('01_late.js')).toMatchObject({ breaking: true });
  });

  test('do not hide which of them failed', async () => {
    const place = await makePlace();
    const before = await place.contents();
    const body = `await Promise.all(['insert into orders values (1 / 0)', 'create table late (id int)'].map((sql) => knex.raw(sql)));`;
    const error = await place.refused({ '01_late.js': up(body, { capture: false }) });
    expect(error.message).toContain('division by zero');
    expect(await place.contents()).toEqual(before);
  });
});

test('a value that is sent beside a statement stands in no finding', async () => {
  const place = await makePlace(large);
  const error = await place.refused({ '01_fill.js': up(`await knex('orders').update({ note: 'hunter2' });`) });
  expect(error.findings).toMatchObject([{ code: 'bulk-dml', remedy: expect.stringContaining('where "id" between 1 and 10000') as string }]);
  expect(JSON.stringify(error.findings) + error.message).not.toContain('hunter2');
});

test('a stream is judged like any other statement', async () => {
  const place = await makePlace(large);
  const before = await place.contents();
  const body = `const stream = knex.raw(${JSON.stringify(createIndex)}).stream();
    await new Promise((resolve, reject) => stream.on('error', reject).on('close', resolve).resume());`;
  expect(await place.refused({ '01_late.js': up(body) })).toMatchObject({
    code: 'EM_STATEMENT_REFUSED',
    findings: [{ code: 'create-index-blocking' }],
  });
  expect(await place.contents()).toEqual(before);
});

test('a type is found by whatever name it has', async () => {
  const place = await makePlace(`create type "user role" as enum ('a', 'b')`);
  const making = `await knex.schema.createTable('late', (t) => t.enu('role', ['a'], { useNative: true, enumName: 'late-role' }));`;
  expect(await place.boot({ '01_make.js': up(making), '02_drop.js': raw('drop type "user role"') })).toMatchObject({ status: 'migrated' });
  expect(await place.recorded('01_make.js')).toMatchObject({ breaking: false });
  expect(await place.recorded('02_drop.js')).toMatchObject({ breaking: true });
});

test('a table that somebody has locked is judged by its last ANALYZE, with its checks and its partitions', async () => {
  const place = await makePlace(`${large}; alter table orders add check (id > 0); analyze orders;
    create table parted (id int) partition by range (id); create table part partition of parted for values from (0) to (9)`);
  await using locker = await openClient(place.database.url);
  await locker.query('begin; lock table orders, part');
  const before = await place.contents();
  const error = await place.refused({ '01_index.js': raw(`${createIndex}; create index on parted (id)`) });
  expect(error).toMatchObject({ code: 'EM_CHECK_FAILED', findings: [{ code: 'create-index-blocking' }] });
  expect(await place.contents()).toEqual(before);
});

describe('an old release', () => {
  test.each([
    ['starts beside an additive migration', up(`await knex.schema.alterTable('orders', (t) => t.text('more'));`), 'ahead'],
    ['starts beside an additive script', 'alter table orders add column more text;', 'ahead'],
    ['is refused after a drop', up(`await knex.schema.alterTable('orders', (t) => t.dropColumn('note'));`), 'EM_OUT_OF_SYNC'],
    ['is refused after a drop by a script', 'alter table orders drop column note;', 'EM_OUT_OF_SYNC'],
    ['starts where the author says that it can', raw('alter table orders drop column note', { breaking: false }), 'ahead'],
    ['is refused where the author says that it cannot', raw('create table more (id int)', { breaking: true }), 'EM_OUT_OF_SYNC'],
    ['is refused after what nobody has seen', raw('create table more (id int)'), 'EM_OUT_OF_SYNC', { lint: false }],
    ['starts after what was only seen when it ran', raw('create table more (id int)', { capture: false }), 'ahead'],
  ] as const)('%s', async (_what, text, status, options: Options = {}) => {
    const place = await makePlace();
    const name = text.startsWith('alter') ? '01_new.sql' : '01_new.js';
    await place.boot({ [name]: text }, options);
    const end = await place.boot({}).catch((error: unknown) => error as MigrationError);
    expect('status' in end ? end.status : end.code).toBe(status);
  });

  test('is told why: the journal has what the migration did to it', async () => {
    const place = await makePlace();
    await place.boot({ '01_new.js': raw('alter table orders drop column note') });
    expect(await place.recorded('01_new.js')).toMatchObject({ breaking: true, breaks: [expect.stringContaining('orders.note')] });
    const error = await place.refused({});
    expect(error.message).toMatch(/ahead of this code by migrations that it cannot run beside: 01_new\.js \([^)]*orders\.note/);
  });
});

test('with transaction all, what one migration has locked the next still holds', async () => {
  const place = await makePlace(large);
  const add = raw('alter table orders add constraint fine check (id > 0) not valid');
  const validate = raw('alter table orders validate constraint fine');
  const error = await place.refused({ '01_add.js': add, '02_validate.js': validate }, { transaction: 'all' });
  expect(error.findings[0]).toMatchObject({ code: 'validate-same-tx', at: { migration: '02_validate.js' } });
  expect(path.basename(error.findings[0]?.at?.file ?? '')).toBe('02_validate.js');
  expect(await place.boot({ '01_add.js': add, '02_validate.js': validate })).toMatchObject({ status: 'migrated' });
});
