import { beforeAll, describe, expect, test, vi } from 'vitest';
import { backfill, type Backfill } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { enqueueOn, type Enqueued } from './fixture.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});

type Apply = NonNullable<Backfill['apply']>;

const threeRows = 'select i from generate_series(1, 3) i';

async function by(apply: Apply, wanted: { columns?: string; rows?: string; onBadRow?: 'set-aside' } = {}): Promise<Enqueued> {
  const { columns, rows = threeRows, ...given } = wanted;
  return await enqueueOn(database, { ...(columns && { columns }), rows, definition: () => ({ apply, ...given }) });
}

const run = async ({ options }: Enqueued) => (await backfill.run(options))[0];
const plusOne: Apply = (rows) => rows.map((row) => ({ ...row, v: (row['v'] as number) + 1 }));

/** Values that JavaScript has no exact form for, and one of each kind that JSON has none for. */
const columns = `id int primary key, big bigint default 9007199254740993, exact numeric default 0.10000000000000000000000001, many numeric(20, 4) default 1.5,
  at timestamptz default '2026-03-29 01:30:00.123456+00', local timestamp default '2026-06-29 12:34:56.123456', day date default '2026-03-29', era date default '0044-03-15 BC',
  late timestamptz default 'infinity', raw bytea default '\\x00ff5c', doc jsonb default '{"n": 12345678901234567890.5, "a": [1, {"b": null}]}', list int[] default '{1,null,3}', words text[] default '{"a,b",null,"\\""}',
  span interval default '1 mon 2 days 03:04:05.678', code char(5) default 'ab', twice int generated always as (id * 2) stored, name text default E'\\\\ '' \\u00e9', f float8 default 0.1, nan float8 default 'NaN'`;
const all = 'big, exact, many, at, local, day, era, late, raw, doc, list, words, span, code, twice, name, f, nan';

test('columns that stay as they are keep every digit', async () => {
  const enqueued = await by(plusOne, { columns });
  const before = await database.query(`select (t.*)::text as row from (select ${all} from ${enqueued.table}) t`);
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
  expect(await enqueued.counted()).toEqual([{ v: 1, n: 3 }]);
  expect(await database.query(`select (t.*)::text as row from (select ${all} from ${enqueued.table}) t`)).toEqual(before);
});

test.each(['UTC', 'Europe/Berlin', 'America/St_Johns'])(
  'values that are copied from one column to another are the same in the time zone %s',
  async (zone) => {
    vi.stubEnv('TZ', zone);
    const copies = all.replace('twice, ', '').split(', ');
    const targets = copies.map(
      (name) =>
        `, ${name}2 ${{ big: 'bigint', exact: 'numeric', many: 'numeric(20, 4)', at: 'timestamptz', local: 'timestamp', day: 'date', era: 'date', late: 'timestamptz', raw: 'bytea', doc: 'jsonb', list: 'int[]', words: 'text[]', span: 'interval', code: 'char(5)', name: 'text', f: 'float8', nan: 'float8' }[name]}`,
    );
    const apply: Apply = (rows) => rows.map((row) => ({ ...row, ...Object.fromEntries(copies.map((name) => [`${name}2`, row[name]])) }));
    const enqueued = await by(apply, { columns: columns + targets.join('') });
    expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
    const inMs = (name: string) => (['at', 'local'].includes(name) ? `date_trunc('ms', ${name})` : name); // a Date has no more
    const same = copies.map(
      (name) => `${name === 'doc' ? `doc2 -> 'a' = doc -> 'a'` : `${inMs(name)} is not distinct from ${name}2`} as ${name}`,
    );
    const [row] = await database.query(`select ${same.join(', ')} from ${enqueued.table} limit 1`);
    expect(Object.entries(row ?? {}).filter(([, isSame]) => isSame !== true)).toEqual([]);
    vi.unstubAllEnvs();
  },
);

test('what is changed in place, in a document too, is written', async () => {
  const apply: Apply = (rows) => rows.map((row) => Object.assign(row, { doc: Object.assign(row['doc'] as object, { seen: true }) }));
  const enqueued = await by(apply, { columns: `id int primary key, doc jsonb default '{"n": 1}'` });
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
  expect(await database.query(`select distinct doc from ${enqueued.table}`)).toEqual([{ doc: { n: 1, seen: true } }]);
});

test('a table with a column that takes no null, by its domain, is written', async () => {
  await database.query('create domain filled as int not null');
  const enqueued = await by(plusOne, { columns: 'id int primary key, s filled default 1' });
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
});

describe.each<[string, string, string]>([
  ['interval', 'id interval primary key', `select i * interval '1.123456 s' from generate_series(1, 3) i`],
  ['bytea', 'id bytea primary key', `select decode('00' || i || 'f', 'hex') from generate_series(1, 3) i`],
  ['float', 'id float8 primary key', 'select i / 7.0 from generate_series(1, 3) i'],
  ['char', 'id char(9) primary key', `select 'x' || i from generate_series(1, 3) i`],
  ['text with quotes', 'id text primary key', `select E'\\'"\\\\{},\\u00e9' || i from generate_series(1, 3) i`],
  ['microseconds', 'id timestamp primary key', `select '2026-01-01'::timestamp + i * interval '1 us' from generate_series(1, 3) i`],
])('a key of type %s', (_name, keyed, rows) => {
  test('finds its rows', async () => {
    const enqueued = await by(plusOne, { columns: keyed, rows });
    expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
    expect(await enqueued.counted()).toEqual([{ v: 1, n: 3 }]);
  });
});

describe('the backfill stops, and no row is changed, where the code', () => {
  test.each<[string, Apply, string]>([
    ['throws', () => Promise.reject(new RangeError('secret')), 'the code of the backfill threw RangeError'],
    ['gives no list', () => 5 as never, 'apply gave number, not a list of rows'],
    ['gives another key', (rows) => rows.map((row) => ({ ...row, id: 7 })), 'apply gave a row whose key is of none'],
    ['gives a row twice', (rows) => [...plusOneOf(rows), ...plusOneOf(rows)], 'or gave one twice'],
    ['gives a column that is not there', (rows) => rows.map((row) => ({ ...row, w: 1 })), 'apply gave a column that public.t'],
    ['gives a function', (rows) => rows.map((row) => ({ ...row, filler: () => 1 })), 'apply gave a function as a value'],
    ['gives a time that is none', (rows) => rows.map((row) => ({ ...row, v: new Date(NaN) })), 'the server refused a value'],
    [
      'swallows an error of the server',
      async (_rows, trx) => void (await trx.raw('select 1 / 0').catch(() => undefined)),
      'the server refused a value',
    ],
    ['commits', async (_rows, trx) => void (await trx.commit()), 'the code of the backfill ended the transaction of its batch'],
    ['rolls back', async (_rows, trx) => void (await trx.rollback()), 'the code of the backfill ended the transaction of its batch'],
  ])('%s', async (_what, apply, message) => {
    const enqueued = await by(apply);
    expect(await run(enqueued)).toMatchObject({ status: 'failed', error: { message: expect.stringContaining(message) as string } });
    expect(await enqueued.counted()).toEqual([{ v: 0, n: 3 }]);
  });
  test('commits in the middle of a statement, which is said', async () => {
    const enqueued = await by(async (_rows, trx) => void (await trx.raw('select 1; commit')));
    const message = 'ended the transaction of its batch, which is not its own: what it had changed is committed';
    expect(await run(enqueued)).toMatchObject({ status: 'failed', error: { message: expect.stringContaining(message) as string } });
  });
  test('sends what the server does not take: its values are not told', async () => {
    const enqueued = await by(async (_rows, trx) => await trx('none').insert({ v: 'secret' }));
    expect(await run(enqueued)).toMatchObject({ status: 'failed', error: { code: '42P01', message: 'relation "none" does not exist' } });
  });
});

function plusOneOf(rows: Parameters<Apply>[0]) {
  return rows.map((row) => ({ ...row, v: 1 }));
}

test('what is sent through its trx is committed with the batch', async () => {
  const enqueued = await by(async (rows, trx) => void (await trx(`t${rows.length}0`).insert({ id: rows.length })));
  await database.query('create table t30 (id int)');
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 3 });
  expect(await database.query('select id from t30')).toEqual([{ id: 3 }]);
});

test('code that takes too long is asked again for half as many rows, and its late statements are refused', async () => {
  let late: unknown;
  const apply: Apply = async (rows, trx) => {
    if (rows.length === 1) return plusOneOf(rows);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await trx('none')
      .insert({ id: 1 })
      .catch((error: unknown) => (late = error));
    return [];
  };
  const enqueued = await by(apply, { rows: 'select i from generate_series(1, 2) i' });
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 2 });
  expect(await enqueued.counted()).toEqual([{ v: 1, n: 2 }]);
  await vi.waitUntil(() => late !== undefined);
  expect((late as Error).message).toMatch(/has ended|already complete/);
});

test('a batch that is tried again has the id that it had, whatever it has become, and the next one has another', async () => {
  const ids: string[] = [];
  const apply: Apply = (rows, _trx, { id }) => {
    ids.push(id);
    if (ids.length < 3) throw new Error('the service does not answer');
    return plusOneOf(rows);
  };
  const enqueued = await by(apply, { rows: 'select i from generate_series(1, 8) i' });
  expect(await run(enqueued)).toMatchObject({ status: 'done', changedCount: 8 });
  const [first, second, third, ...rest] = ids;
  expect([second, third]).toEqual([first, first]);
  expect(new Set([first, ...rest]).size).toBe(1 + rest.length);
  expect(rest.length).toBeGreaterThan(0);
});

test('a worker that is frozen loses its batch by the clock of the server, and what it has committed is on the disk', async () => {
  const names = ['idle_in_transaction_session_timeout', 'lock_timeout', 'synchronous_commit', 'row_security'];
  let seen: unknown;
  const apply: Apply = async (rows, trx) => {
    const { rows: found } = await trx.raw<{ rows: unknown[] }>('select name, setting from pg_settings where name = any (?)', [names]);
    seen = found;
    return plusOneOf(rows);
  };
  await database.query(`alter database ${database.name} set synchronous_commit = off`);
  expect(await run(await by(apply))).toMatchObject({ status: 'done' });
  await database.query(`alter database ${database.name} reset synchronous_commit`);
  expect(seen).toEqual(
    [
      ['idle_in_transaction_session_timeout', '60000'],
      ['lock_timeout', '200'],
      ['row_security', 'off'],
      ['synchronous_commit', 'on'],
    ].map(([name, setting]) => ({ name, setting })),
  );
});
