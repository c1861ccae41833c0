import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { backfill, type Options } from '../../src/index.js';
import { moveOf } from '../../src/backfill/transitions.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { enqueueOn, type Enqueued } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});

const statusOf = async ({ options, name }: Enqueued) => (await backfill.list(options, { names: [name] }))[0]?.status;
const rangesOf = async ({ options }: Enqueued) =>
  await database.query(
    `select range, status, cursor, rows_seen::int as seen from ${String(options.migrations && (options.migrations as { tableName: string }).tableName)}_backfills order by range`,
  );

/** The same project, whose migration says something else now. */
function withDefinition({ options, name }: Enqueued, changes: object): Options {
  const { modules, ...rest } = options.migrations as { modules: Record<string, { backfills: Record<string, object> }> };
  const [[file, migration]] = Object.entries(modules) as [[string, { backfills: Record<string, object> }]];
  const changed = { ...migration, backfills: { [name]: { ...migration.backfills[name], ...changes } } };
  return { ...options, migrations: { ...rest, modules: { [file]: changed } } };
}

test('each action is told of each status where it leads, or that it makes no sense', () => {
  const statuses = ['queued', 'running', 'passed', 'paused', 'failed', 'unverified', 'done', 'cancelled'] as const;
  const table = (['pause', 'resume', 'retry', 'cancel'] as const).map((action) => [
    action,
    ...statuses.map((status) => moveOf(action, status) ?? '-'),
  ]);
  expect(table).toEqual([
    ['pause', 'paused', 'paused', 'paused', 'same', '-', '-', '-', '-'],
    ['resume', 'same', 'same', 'same', 'open', '-', '-', 'same', '-'],
    ['retry', 'same', 'same', 'same', '-', 'open', 'passed', 'same', '-'],
    ['cancel', 'cancelled', 'cancelled', 'cancelled', 'cancelled', 'cancelled', 'cancelled', '-', 'same'],
  ]);
});

describe('pause', () => {
  test('returns when no batch is under way, though workers are at all ranges, and none begins until it is resumed', async () => {
    await database.query('create table gate as select 0.03 as s'); // so long each batch takes
    const project = await enqueueOn(database, {
      rows: 'select i from generate_series(1, 4000) i',
      definition: () => ({ set: 'v = v + 1 + length((select pg_sleep(s) from gate)::text)', parallel: 2, batchSize: 5, targetMs: 20 }),
    });
    const { options, name, counted } = project;
    const workers = [1, 2].map(() => backfill.run(options));
    await expect.poll(async () => (await backfill.list(options))[0]?.changedCount, { interval: 5, timeout: 20_000 }).toBeGreaterThan(20);
    expect(await backfill.pause(options, { names: [name] })).toMatchObject([
      { status: 'paused', control: { action: 'pause', user: expect.any(String) as string } },
    ]);
    const atReturn = await counted();
    for (const ended of await Promise.all(workers)) expect(ended).toMatchObject([{ status: 'paused' }]); // they have come to their end
    expect(await counted()).toEqual(atReturn);
    expect(atReturn).toHaveLength(2); // some are done, some are not
    expect(await backfill.pause(options, { names: [name] })).toMatchObject([{ status: 'paused' }]);
    expect(await backfill.run(options)).toMatchObject([{ status: 'paused' }]);
    await database.query('update gate set s = 0');
    expect(await backfill.resume(options, { names: [name] })).toMatchObject([{ status: 'running' }]);
    expect(await backfill.resume(options)).toMatchObject([{ status: 'running' }]);
    expect(await backfill.run(options)).toMatchObject([{ status: 'done', changedCount: 4000 }]);
    expect(await counted()).toEqual([{ v: 1, n: 4000 }]);
  });

  test('waits for the batch that is under way', async () => {
    const project = await enqueueOn(database);
    await database.query(`update ${tableOf(project)} set status = 'running'`);
    const worker = await database.connect();
    await worker.query(`begin; select from ${tableOf(project)} for update`);
    let paused = false;
    const pausing = backfill.pause(project.options).then(() => (paused = true));
    await expect
      .poll(
        async () =>
          await database.query(
            `select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()) or not granted and locktype = 'transactionid'`,
          ),
      )
      .toHaveLength(1);
    expect(paused).toBe(false);
    await worker.query('commit');
    await pausing;
    expect(await statusOf(project)).toBe('paused');
  });

  test('of one that nobody has begun leaves it queued afterwards, of one that is through passed', async () => {
    const project = await enqueueOn(database);
    await backfill.pause(project.options);
    await backfill.resume(project.options);
    expect(await statusOf(project)).toBe('queued');
    await backfill.run(project.options);
    await database.query(`update ${tableOf(project)} set status = 'passed'`);
    await backfill.pause(project.options);
    await backfill.resume(project.options);
    expect(await statusOf(project)).toBe('passed');
  });

  test('of one that is done is refused, and one that is not there is named with what is near; nothing is changed', async () => {
    const project = await enqueueOn(database);
    const { options, name } = project;
    await backfill.run(options);
    const before = await rangesOf(project);
    await expect(backfill.pause(options, { names: [name] })).rejects.toMatchObject({
      code: 'EM_BACKFILL_REFUSED',
      message: expect.stringContaining(`the backfill "${name}" is done: pause makes no sense`) as string,
    });
    for (const call of [backfill.list, backfill.aside, backfill.run, backfill.wait, backfill.pause, backfill.resume, backfill.retry])
      await expect(call(options, { names: [`${name}x`] })).rejects.toMatchObject({
        code: 'EM_BACKFILL_UNKNOWN',
        message: expect.stringContaining(`did you mean "${name}"?`) as string,
        exitCode: 78,
      });
    expect(await rangesOf(project)).toEqual(before);
    expect(await backfill.pause(options)).toEqual([]); // of all: those for which it makes sense
  });

  test('gives up with EM_CALL_TIMEOUT when a batch does not end', async () => {
    const project = await enqueueOn(database);
    const worker = await database.connect();
    await worker.query(`begin; select from ${tableOf(project)} for update`);
    await expect(backfill.pause({ ...project.options, timeouts: { callMs: 100 } })).rejects.toMatchObject({ code: 'EM_CALL_TIMEOUT' });
    await worker.query('rollback');
    expect(await statusOf(project)).toBe('queued');
  });
});

describe('retry', () => {
  const poisoned = {
    rows: 'select i from generate_series(1, 500) i',
    definition: () => ({ set: 'v = v + 100 / (id - 321)::int * 0 + 1' }),
  };

  test('goes on where a poisoned row has stopped it, after that was mended, by the definition that is accepted', async () => {
    const project = await enqueueOn(database, poisoned);
    const { options, name, counted } = project;
    expect(await backfill.run(options)).toMatchObject([{ status: 'failed', changedCount: 320, error: { code: '22012', key: ['321'] } }]);
    const mended = withDefinition(project, { set: 'v = v + 1' });
    await expect(backfill.retry(mended, { names: [name] })).rejects.toMatchObject({ code: 'EM_BACKFILL_REFUSED' });
    expect(await statusOf(project)).toBe('failed');
    await expect(backfill.resume(options, { names: [name] })).rejects.toMatchObject({ code: 'EM_BACKFILL_REFUSED' });
    expect(await backfill.retry(mended, { names: [name], changed: 'accept' })).toMatchObject([
      { status: 'running', error: undefined, control: { action: 'retry' } },
    ]);
    await expect(backfill.run(options)).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED' }); // older code has the old one
    expect(await backfill.run(mended)).toMatchObject([{ status: 'done', changedCount: 500 }]);
    expect(await counted()).toEqual([{ v: 1, n: 500 }]);
  });

  test('with a changed definition stops workers of older code that are at it', async () => {
    const adds = (count: number, ms: number) => async (rows: readonly Record<string, unknown>[]) => {
      await setTimeout(ms);
      return rows.map((row) => ({ ...row, v: (row['v'] as number) + count }));
    };
    const project = await enqueueOn(database, { definition: () => ({ apply: adds(1, 20), batchSize: 1, targetMs: 1 }) });
    const { options, name, counted } = project;
    const older = expect(backfill.run(options)).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED' });
    await expect.poll(async () => (await counted()).length, { timeout: 20_000 }).toBe(2);
    const newer = withDefinition(project, {
      targetMs: 200,
      apply: async (rows: readonly Record<string, unknown>[]) => await adds(10, 0)(rows),
    });
    await backfill.retry(newer, { names: [name], changed: 'accept' });
    await older;
    const [, byOlder] = await counted();
    expect(await backfill.run(newer)).toMatchObject([{ status: 'done', changedCount: 1000 }]);
    expect(await counted()).toEqual([byOlder, { v: 10, n: 1000 - (byOlder?.['n'] as number) }]);
  });

  test('refuses a changed definition of another table or key, once it has begun', async () => {
    const project = await enqueueOn(database, poisoned);
    await backfill.run(project.options);
    const before = await rangesOf(project);
    const elsewhere = withDefinition(project, { key: ['v'] });
    await expect(backfill.retry(elsewhere, { changed: 'accept' })).rejects.toMatchObject({
      code: 'EM_BACKFILL_REFUSED',
      message: expect.stringContaining('has begun in another table, or by another key') as string,
    });
    expect(await rangesOf(project)).toEqual(before);
  });

  test.each(['set', 'apply'])('leaves rows aside unless it is asked to try them, each once (%s)', async (how) => {
    const apply = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) => {
        if (row['filler'] === 'bad') throw new RangeError(`bad ${String(row['id'])}`);
        return { ...row, v: (row['v'] as number) + 1 };
      });
    const project = await enqueueOn(database, {
      columns: 'id bigint primary key, at timestamptz default now()',
      rows: `select i, now(), 0, case when i in (7, 8, 400) then 'bad' end from generate_series(1, 500) i`,
      definition: () => ({
        onBadRow: 'set-aside',
        ...(how === 'apply' ? { apply } : { set: `v = v + case when filler = 'bad' then filler::int else 1 end` }),
      }),
    });
    const { options, name, table, counted } = project;
    expect(await backfill.run(options)).toMatchObject([{ status: 'done', changedCount: 497, asideCount: 3 }]);
    const aside = await backfill.aside(options, { names: [name] });
    expectPrinted('backfill', aside);
    expect(aside.map(({ key }) => key).sort()).toEqual([['400'], ['7'], ['8']]);
    expect(JSON.stringify(aside)).not.toContain('bad');
    expect(await backfill.retry(options, { names: [name] })).toMatchObject([{ asideCount: 3 }]);
    await database.query(`update ${table} set filler = null where id in (7, 400)`);
    expect(await backfill.retry(options, { names: [name], aside: 'again' })).toMatchObject([
      { status: 'done', changedCount: 499, asideCount: 1 },
    ]);
    expect(await backfill.retry(options, { names: [name], aside: 'again' })).toMatchObject([{ changedCount: 499, asideCount: 1 }]);
    expect((await backfill.aside(options)).map(({ key }) => key)).toEqual([['8']]);
    expect(await counted()).toEqual([
      { v: 0, n: 1 },
      { v: 1, n: 499 },
    ]);
  });

  const verified = {
    columns: 'id bigint primary key',
    definition: (table: string) => ({ where: 'v = 0', parallel: 2, verify: `select count(*) from ${table} where v = 0` }),
  };

  test('of an unverified one asks verify again; from the start it finds rows that came late', async () => {
    const project = await enqueueOn(database, { ...verified, rows: 'select 2 * i from generate_series(1, 1000) i' });
    const { options, name, table, counted } = project;
    await backfill.run(options);
    await database.query(`insert into ${table} (id) values (777), (5001)`); // older code
    await database.query(`update ${tableOf(project)} set status = 'passed'`);
    expect(await backfill.run(options)).toMatchObject([{ status: 'unverified', error: { code: 'verify' } }]);
    await expect(backfill.wait(options)).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED' });
    await backfill.retry(options, { names: [name] });
    expect(await backfill.run(options)).toMatchObject([{ status: 'unverified', changedCount: 1000 }]);
    expect(await backfill.retry(options, { names: [name], from: 'start' })).toMatchObject([
      { status: 'queued', seenCount: 0, rangeCount: 1 },
    ]);
    expect(await backfill.run(options)).toMatchObject([{ status: 'done', seenCount: 1002, changedCount: 1002, error: undefined }]);
    expect(await counted()).toEqual([{ v: 1, n: 1002 }]);
    expect(await backfill.wait(options)).toMatchObject([{ status: 'done' }]);
  });

  test('from the start is refused without a where, which would change rows twice', async () => {
    const project = await enqueueOn(database, { definition: () => ({ verify: 'select 1' }) });
    const { options, name, counted } = project;
    expect(await backfill.run(options)).toMatchObject([{ status: 'unverified' }]);
    await expect(backfill.retry(options, { names: [name], from: 'start' })).rejects.toMatchObject({ code: 'EM_BACKFILL_REFUSED' });
    expect(await statusOf(project)).toBe('unverified');
    const mended = withDefinition(project, { verify: 'select 0' }); // what it verifies may change
    await backfill.retry(mended, { names: [name] });
    expect(await backfill.run(mended)).toMatchObject([{ status: 'done' }]);
    expect(await counted()).toEqual([{ v: 1, n: 1000 }]);
  });
});

describe('cancel', () => {
  test('is for good', async () => {
    const project = await enqueueOn(database);
    const { options, name, counted } = project;
    await expect(backfill.cancel(options, { names: [] })).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(await backfill.cancel(options, { names: [name] })).toMatchObject([
      { status: 'cancelled', finishedAt: expect.any(Date) as Date },
    ]);
    expect(await backfill.cancel(options, { names: [name] })).toMatchObject([{ status: 'cancelled' }]);
    expect(await backfill.run(options)).toMatchObject([{ status: 'cancelled' }]);
    for (const call of [backfill.pause, backfill.resume, backfill.retry])
      await expect(call(options, { names: [name] })).rejects.toMatchObject({ code: 'EM_BACKFILL_REFUSED' });
    await expect(backfill.wait(options, { names: [name] })).rejects.toMatchObject({ code: 'EM_BACKFILL_UNFINISHED' });
    expect(await counted()).toEqual([{ v: 0, n: 1000 }]);
  });
});

test('wait works on nothing, and returns when somebody else has done it', async () => {
  const project = await enqueueOn(database);
  const waiting = backfill.wait(project.options);
  expect(await project.counted()).toEqual([{ v: 0, n: 1000 }]);
  await backfill.run(project.options);
  expect(await waiting).toMatchObject([{ status: 'done' }]);
});

function tableOf({ options }: Enqueued): string {
  return `${(options.migrations as { tableName: string }).tableName}_backfills`;
}
