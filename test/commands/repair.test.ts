import { rm, writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  downgrade,
  history,
  repair,
  status,
  upgrade,
  type RecordRepair,
  type RepairOptions,
  type RepairQuestion,
} from '../../src/commands/index.js';
import { repairQuestionText } from '../../src/cli/repair-text.js';
import { statusText } from '../../src/cli/text.js';
import { ensureMigrated, type Options } from '../../src/index.js';
import { poll, startBoot } from '../support/boot.js';
import { runKnex } from '../support/knex-cli.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { expectPrinted } from '../support/json-schemas.js';
import { startProxy } from '../support/proxy.js';
import type { TestDatabase } from '../support/servers.js';
import { atHead, contentsOf, makeMigrated, makeProject, names } from './fixture.js';

const said = { reason: 'it was seen to', yes: true } as const;
const edited = `export const up = async () => undefined; export const down = up; export const config = { breaking: false };`;

/** Every row that a repair could write. */
async function recordsOf(database: TestDatabase): Promise<unknown> {
  const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'];
  return await Promise.all(tables.map(async (table) => await database.query(`select * from ${table} order by 1`)));
}

/** A boot finds nothing to do, in one round trip: the digest of the owner row is right. What was done by hand to the schema is not asked. */
async function expectInSync(database: TestDatabase, options: Options): Promise<void> {
  const proxy = await startProxy(database.url);
  const outcome = await ensureMigrated({ ...options, rules: { 'schema-drift': 'off' }, connection: proxy.urlOf(database.url) });
  expect(outcome).toMatchObject({ status: 'in-sync', findings: [] });
  expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 1 });
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
}

async function lastRepairOf(database: TestDatabase): Promise<Record<string, unknown>> {
  const [row] = await database.query(
    `select migration, detail from knex_migrations_journal where kind = 'repair' order by id desc limit 1`,
  );
  return row as Record<string, unknown>;
}

const half = 'alter table orders add column half int';
const unfinished = {
  '03_index.js': `export const config = { transaction: false, breaking: false };
    export const up = async (knex) => { await knex.raw('${half}'); await knex.raw('drop table nowhere'); };
    export const down = async () => undefined;`,
};

/** Stopped half-way outside a transaction, and refused since. */
async function makeUnfinished() {
  const project = await makeProject(unfinished);
  await expect(upgrade(project.options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
  await expect(upgrade(project.options)).rejects.toMatchObject({ findings: [{ code: 'history-unfinished' }] });
  return project;
}

const downHalf = {
  '03_index.js': `export const config = { transaction: false };
    export const up = async (knex) => await knex.raw('create index concurrently orders_customer_idx on orders (customer)');
    export const down = async (knex) => { await knex.raw('${half}'); await knex.raw('select 1/0'); };`,
  '04_notes.up.sql': undefined,
  '04_notes.down.sql': undefined,
};

async function makeHalfTakenBack() {
  const project = await makeProject(downHalf);
  await upgrade(project.options);
  await expect(downgrade(project.options, { target: { steps: 1 }, yes: true })).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
  await expect(ensureMigrated(project.options)).rejects.toMatchObject({ findings: [{ code: 'history-unfinished' }] });
  return project;
}

describe('accept', () => {
  test('records the checksum of an edited file; a boot is in sync at once, and the next edit is noticed', async () => {
    const { database, directory, options } = await makeMigrated();
    await writeFile(path.join(directory, names[1]), edited);
    await expect(ensureMigrated(options)).rejects.toMatchObject({ findings: [{ code: 'history-edited' }] });
    const { before, after } = (await repair(options, { action: 'accept', migration: 'total', ...said })) as RecordRepair;
    expect(after).toEqual({ ...before, checksum: expect.not.stringContaining((before as { checksum: string }).checksum) as string });
    await expectInSync(database, options);
    expect(await contentsOf(database)).toEqual(atHead);
    await writeFile(path.join(directory, names[1]), `${edited}\n// again`);
    await expect(ensureMigrated(options)).rejects.toMatchObject({ findings: [{ code: 'history-edited' }] });
  });

  test('takes several names, or all that are edited: asked for once, in one transaction, and none where one does not fit', async () => {
    const { database, directory, options } = await makeMigrated();
    for (const name of names.slice(1, 3)) await writeFile(path.join(directory, name), edited);
    expect(await status(options)).toMatchObject({
      findings: [{ code: 'history-edited', command: `ensure-migrated repair accept ${names[1]} ${names[2]}` }],
    });
    const before = await recordsOf(database);
    const mixed = repair(options, { action: 'accept', migration: ['total', '01'], ...said });
    await expect(mixed).rejects.toMatchObject({ code: 'EM_REPAIR_REFUSED', message: expect.stringContaining(names[0]) as string });
    expect(await recordsOf(database)).toEqual(before);
    const asked: RepairQuestion[] = [];
    const confirm = async (question: RepairQuestion) => await Promise.resolve(asked.push(question) > 0);
    const production = { ...options, environment: 'production' };
    const repaired = await repair(production, { action: 'accept', all: true, reason: 'another target', confirm });
    expectPrinted('repair', repaired);
    expect(repaired).toMatchObject({ action: 'accept', repairs: [{ migration: names[1] }, { migration: names[2] }] });
    expect(asked.map(repairQuestionText)).toEqual([
      expect.stringMatching(
        /repair accept 02_total\.js, 03_index\.js\nThis changes .* each:\n {2}02_total\.js: records .*\n {2}03_index\.js: records .*\.\nGo on/,
      ),
    ]);
    await expectInSync(database, options);
    const kept = `select xmin::text, detail -> 'repair' ->> 'reason' as reason from knex_migrations_journal where kind = 'repair'`;
    const [one, other] = await database.query(kept);
    expect([one, (await database.query(kept)).length]).toEqual([{ ...other, reason: 'another target' }, 2]);
    const again = repair(options, { action: 'accept', all: true, ...said });
    await expect(again).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
      message: expect.stringContaining('nothing to accept') as string,
    });
  });

  test('goes on record with who and why, beside what is known of the run itself', async () => {
    const { database, directory, options } = await makeProject();
    await upgrade({ ...options, application: { name: 'shop', version: '1.2.3' } });
    await writeFile(path.join(directory, names[1]), edited);
    const application = { name: 'night', version: '9' };
    const action = { action: 'accept', migration: names[1], yes: true } as const;
    const reason = 'moved off postgres://me:hunter2@here/shop';
    await repair({ ...options, application, environment: 'production' }, { ...action, reason });
    expect(await lastRepairOf(database)).toMatchObject({
      migration: names[1],
      detail: {
        application: 'shop',
        status: 'done',
        breaking: false,
        repair: {
          action: 'accept',
          reason: 'moved off postgres://me:***@here/shop',
          user: userInfo().username,
          host: hostname(),
          application: 'night',
          version: '9',
          environment: 'production',
        },
      },
    });
    expect((await history(options))[1]).toMatchObject({ how: 'run', application: 'shop', checksum: 'same', compatible: true });
  });
});

describe('forget', () => {
  test('deletes the history row of a migration whose file is gone, and what it made stays', async () => {
    const { database, directory, options } = await makeMigrated();
    await rm(path.join(directory, names[0]));
    await expect(ensureMigrated(options)).rejects.toMatchObject({ findings: [{ code: 'history-missing' }] });
    const result = await repair(options, { action: 'forget', migration: '01', ...said });
    expect(result).toMatchObject({ action: 'forget', migration: names[0], before: { rows: [{ id: '1' }] }, after: { rows: [] } });
    await expectInSync(database, options);
    expect(await contentsOf(database)).toEqual({ ...atHead, history: names.slice(1) });
  });

  test('warns where a newer release may have the file', async () => {
    const { options } = await makeMigrated();
    const older = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    const asked: RepairQuestion[] = [];
    const confirm = async (question: RepairQuestion) => await Promise.resolve(asked.push(question) === 0);
    const production = { ...options, environment: 'production', migrations: older.directory };
    const refused = repair(production, { action: 'forget', migration: names[3], reason: 'no', confirm });
    await expect(refused).rejects.toMatchObject({ code: 'EM_NOT_CONFIRMED' });
    expect(asked).toMatchObject([{ change: expect.stringContaining('a newer release may have it') as string }]);
  });
});

describe('an unfinished migration', () => {
  test('is recorded as done: its history row is written, with the file as it stands now, and a boot goes on after it', async () => {
    const { database, directory, options } = await makeUnfinished();
    const corrected = unfinished['03_index.js'].replace(`await knex.raw('drop table nowhere');`, '');
    await writeFile(path.join(directory, names[2]), corrected);
    const result = await repair(options, { action: 'done', migration: '03', ...said });
    expect(result).toMatchObject({
      before: { rows: [], status: 'unfinished' },
      after: { rows: [{ batch: 1 }], status: 'done', compatible: true },
    });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: names[3], batch: 2 }], findings: [] });
    await expectInSync(database, options);
    expect(await contentsOf(database)).toEqual({ ...atHead, index: null });
  });

  test('is recorded as undone: it runs again from its first statement', async () => {
    const { database, options } = await makeUnfinished();
    await database.query('alter table orders drop column half');
    const result = await repair(options, { action: 'undone', migration: '03', ...said });
    expect(result).toMatchObject({ before: { status: 'unfinished' }, after: { rows: [], status: 'undone' } });
    const { directory: corrected } = await makeProject({
      '03_index.js': unfinished['03_index.js'].replace('table nowhere', 'table if exists nowhere'),
    });
    expect(await ensureMigrated({ ...options, migrations: corrected })).toMatchObject({
      status: 'migrated',
      applied: [{ name: names[2] }, { name: names[3] }],
    });
    await expectInSync(database, { ...options, migrations: corrected });
  });

  test('is shown with what it had sent, and what of that was refused', async () => {
    const { options } = await makeUnfinished();
    const asked: RepairQuestion[] = [];
    const confirm = async (question: RepairQuestion) => await Promise.resolve(asked.push(question) > 0);
    await repair({ ...options, environment: 'production' }, { action: 'undone', migration: '03', reason: 'looked', confirm });
    const sent = [
      { statement: 'alter table orders add column half int', refused: false },
      { statement: 'drop table nowhere', refused: true },
    ];
    expect(asked).toMatchObject([{ action: 'undone', migration: names[2], sent }]);
  });

  test('that has committed by itself is recorded as done, too', async () => {
    const split = `export const up = async (knex) => { await knex.raw('${half}; commit; select 1'); }; export const down = async () => undefined;`;
    const { database, options } = await makeProject({ '03_index.js': split });
    const unlinted = { ...options, rules: { 'nested-transaction': 'off' } } as const;
    await expect(upgrade(unlinted)).rejects.toMatchObject({ code: 'EM_TRANSACTION_BROKEN' });
    await expect(upgrade(options)).rejects.toMatchObject({ findings: [{ code: 'history-unfinished' }] });
    await repair(options, { action: 'done', migration: '03', ...said });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: names[3] }] });
    await expectInSync(database, options);
  });

  test('whose process was killed is recorded, and knex is free again', async () => {
    const stalls = `export const config = { transaction: false, capture: false };
      export const up = async (knex) => { await knex.raw('${half}'); if (process.env.STALL) { console.log('{"event":"stalled"}'); await new Promise((resolve) => setTimeout(resolve, 300_000)); } };
      export const down = async () => undefined;`;
    const { database, directory, options } = await makeProject({ '03_index.js': stalls });
    const victim = startBoot({ connection: database.url, directory }, { STALL: 'yes' });
    await victim.waitForEvent('stalled');
    await victim.kill();
    await repair(options, { action: 'done', migration: '03', ...said });
    expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: names[3] }] });
    await expectInSync(database, options);
  });

  test('that was being taken back is recorded as done: it is pending again', async () => {
    const { database, options } = await makeHalfTakenBack();
    const result = await repair(options, { action: 'done', migration: '03', ...said });
    expect(result).toMatchObject({ before: { direction: 'down', rows: [{}] }, after: { direction: 'down', status: 'done', rows: [] } });
    expect(await status(options)).toMatchObject({ pending: [names[2]], unfinished: [] });
    await database.query('drop index orders_customer_idx; alter table orders drop column half');
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: names[2] }] });
    await expectInSync(database, options);
  });

  test('or as undone: it stays applied', async () => {
    const { database, options } = await makeHalfTakenBack();
    const result = await repair(options, { action: 'undone', migration: '03', ...said });
    expect(result).toMatchObject({ after: { direction: 'down', status: 'undone', rows: [{}] } });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync', findings: [] });
    await expectInSync(database, options);
    expect(await contentsOf(database)).toMatchObject({ history: names.slice(0, 3), index: 'orders_customer_idx' });
  });
});

describe('compatible and breaking', () => {
  test('decide whether a release starts that does not know the migration, and its status says the same', async () => {
    const { database, options } = await makeMigrated();
    const { directory } = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    const older = { ...options, migrations: directory };
    const told = async (rules: Options['rules'] = {}) =>
      statusText(await status({ ...older, rules }), { columns: 80, style: (_, text) => text });
    expect(await ensureMigrated(older)).toMatchObject({ status: 'ahead', findings: [] });
    expect(await status(older)).toMatchObject({ inSync: true, ahead: [names[3]], breaking: [] });
    expect(await told()).toBe(
      `The database "${database.name}" is ahead of this code: at ${names[3]}, head is ${names[2]}.\nThis release may start: 1 newer migration, all recorded as compatible with older code.`,
    );
    await repair(options, { action: 'breaking', migration: 'notes', ...said });
    const remedy = expect.stringContaining(`record that: \`ensure-migrated repair compatible ${names[3]}\` (docs`) as string;
    await expect(ensureMigrated(older)).rejects.toMatchObject({ findings: [{ code: 'history-ahead', remedy }] });
    expect(await status(older)).toMatchObject({ inSync: false, breaking: [names[3]], findings: [{ code: 'history-ahead' }] });
    expect(await told()).toMatch(/is not in sync: .*\nerror history-ahead: /);
    expect(await ensureMigrated({ ...older, rules: { 'history-ahead': 'off' } })).toMatchObject({ status: 'ahead' });
    expect(await told({ 'history-ahead': 'off' })).toMatch(/\nThis release may start, since the rule history-ahead lets it: .*notes/);
    await repair(older, { action: 'compatible', migration: 'notes', ...said });
    expect(await ensureMigrated(older)).toMatchObject({ status: 'ahead', findings: [] });
    await expectInSync(database, options);
  });

  test('mark what knex has applied, of which there is no journal yet, and its edits are noticed from then on', async () => {
    const { database, directory, options } = await makeProject({ '04_notes.up.sql': undefined, '03_index.js': undefined });
    await rm(path.join(directory, '04_notes.down.sql'));
    await runKnex('migrate:latest', { url: database.url, directory });
    await repair(options, { action: 'compatible', migration: '02', ...said });
    await expectInSync(database, options);
    expect((await history(options))[1]).toMatchObject({ how: 'knex', compatible: true, checksum: 'same' });
    await writeFile(path.join(directory, names[1]), edited);
    await expect(ensureMigrated(options)).rejects.toMatchObject({ findings: [{ code: 'history-edited' }] });
  });
});

test('deduplicate keeps the older of two history rows', async () => {
  const { database, options } = await makeProject();
  await upgrade(options);
  await database.query(`insert into knex_migrations (name, batch, migration_time) values ($1, 2, now())`, [names[1]]);
  expect(await ensureMigrated(options)).toMatchObject({ findings: [{ code: 'history-duplicate' }] });
  const result = await repair(options, { action: 'deduplicate', migration: names[1], ...said });
  expect(result).toMatchObject({ before: { rows: [{ id: '2' }, { id: '5', batch: 2 }] }, after: { rows: [{ id: '2', batch: 1 }] } });
  await expectInSync(database, options);
  expect(await contentsOf(database)).toEqual(atHead);
});

describe('a repair that does not fit is refused, and changes nothing', () => {
  test.each<[Omit<RepairOptions, 'reason'>, string, string]>([
    [{ action: 'accept', migration: '01' }, 'EM_REPAIR_REFUSED', '01_orders.js is not edited'],
    [{ action: 'forget', migration: '01' }, 'EM_REPAIR_REFUSED', '01_orders.js is among the files'],
    [{ action: 'forget', migration: '04' }, 'EM_REPAIR_REFUSED', '04_notes.up.sql is not applied'],
    [{ action: 'done', migration: '01' }, 'EM_REPAIR_REFUSED', '01_orders.js is not unfinished'],
    [{ action: 'undone', migration: '04' }, 'EM_REPAIR_REFUSED', '04_notes.up.sql is not unfinished'],
    [{ action: 'compatible', migration: '02' }, 'EM_REPAIR_REFUSED', '02_total.js is marked compatible already'],
    [{ action: 'compatible', migration: '01' }, 'EM_REPAIR_REFUSED', '01_orders.js is marked compatible already'],
    [{ action: 'breaking', migration: '04' }, 'EM_REPAIR_REFUSED', '04_notes.up.sql is not applied'],
    [{ action: 'deduplicate', migration: '01' }, 'EM_REPAIR_REFUSED', '01_orders.js does not stand twice'],
    [{ action: 'accept', migration: 'nonsense' }, 'EM_PLAN_REFUSED', "'nonsense' names no migration"],
    [{ action: 'accept', migration: '0' }, 'EM_PLAN_REFUSED', "'0' names several migrations"],
    [{ action: 'accept' }, 'EM_CONFIG_INVALID', 'migration: expected the name of the migration to accept'],
    [{ action: 'lock', migration: '01' }, 'EM_CONFIG_INVALID', "migration: expected none, since 'lock' is about no migration"],
    [{ action: 'done', migration: '01', terminate: true }, 'EM_CONFIG_INVALID', "terminate: expected with 'lock' only"],
    [{ action: 'mend' as 'done', migration: '01' }, 'EM_CONFIG_INVALID', 'action: expected one of accept, forget, done'],
  ])('%j', async (request, code, message) => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { steps: 3 } });
    const before = await recordsOf(database);
    await expect(repair(options, { ...request, ...said })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
      remedy: expect.stringContaining('Nothing was changed.') as string,
    });
    expect(await recordsOf(database)).toEqual(before);
  });

  test.each<[RepairOptions, string, string]>([
    [{ action: 'undone', migration: ['01', '02'], ...said }, 'migration: expected one, since', '<action> <migration>'],
    [{ action: 'forget', all: true, ...said }, "all: expected with 'accept' only", '<action> <migration>'],
    [{ action: 'accept', all: true, migration: 'a b', ...said }, 'all: expected without a name', '<action> <migration>'],
    [{ action: 'accept', migration: 'a b', reason: '' }, 'reason: expected why', `accept 'a b'`],
    [{ action: 'accept', all: true, reason: '' }, 'reason: expected why', 'accept --all'],
    [{ action: 'lock', reason: '' }, 'reason: expected why', 'lock'],
    [{ action: 'lock', migration: '01', ...said }, 'migration: expected none', 'lock'],
  ])('%j, before anything is connected to', async (request, message, words) => {
    await expect(repair({ connection: 'postgres://nowhere.invalid/shop' }, request)).rejects.toMatchObject({
      code: 'EM_CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
      remedy: `Give what is missing: ensure-migrated repair ${words} --reason "...". Nothing was changed.`,
    });
  });

  test.each(['', '  ', '...'])('without a reason: %j', async (reason) => {
    const { options } = await makeProject();
    await expect(repair(options, { action: 'accept', migration: '01', yes: true, reason })).rejects.toMatchObject({
      code: 'EM_CONFIG_INVALID',
      message: expect.stringContaining('reason: expected why this is right, in a few words') as string,
    });
  });

  test.each(['compatible', 'forget', 'deduplicate'] as const)('%s of one that stopped half-way, which comes first', async (action) => {
    const { database, options } = await makeHalfTakenBack();
    const before = await recordsOf(database);
    await expect(repair(options, { action, migration: '03', ...said })).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
      message: expect.stringContaining('03_index.js stopped half-way, which comes first') as string,
    });
    expect(await recordsOf(database)).toEqual(before);
  });
});

describe('a repair is confirmed', () => {
  const request = { action: 'breaking', migration: '02', reason: 'it was seen to' } as const;

  test('by a person, or by nobody: then nothing is changed, unless the environment is test', async () => {
    const { database, options } = await makeMigrated();
    const before = await recordsOf(database);
    const production = { ...options, environment: 'production' };
    const confirm = async () => await Promise.resolve(false);
    for (const asking of [{}, { confirm }]) {
      await expect(repair(production, { ...request, ...asking })).rejects.toMatchObject({
        code: 'EM_NOT_CONFIRMED',
        message: expect.stringContaining('repair breaking 02_total.js in the database') as string,
      });
    }
    expect(await recordsOf(database)).toEqual(before);
    expect(await repair({ ...options, environment: 'test' }, request)).toMatchObject({ after: { compatible: false } });
  });

  test('and refused when what was shown has changed meanwhile; how the last run ended stays as it was', async () => {
    const { database, options } = await makeMigrated();
    let before: unknown;
    const confirm = async () => {
      await database.query(`update knex_migrations set batch = 7 where name = $1`, [names[1]]);
      before = await recordsOf(database);
      return true;
    };
    await expect(repair({ ...options, environment: 'production' }, { ...request, confirm })).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
    });
    expect(await recordsOf(database)).toEqual(before);
    await expectInSync(database, options);
  });
});

describe('how the last run ended is not for a repair to say', () => {
  test('one that failed stays failed until a boot has verified', async () => {
    const { database, directory, options } = await makeProject({ '04_notes.up.sql': 'create table notes (id int); select 1/0' });
    await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    const owner = `select detail - 'digest' - 'unknown' - 'flag' as detail from knex_migrations_journal where kind = 'owner'`;
    const [before] = await database.query(owner);
    await repair(options, { action: 'breaking', migration: '02', ...said });
    const [after] = await database.query(owner);
    expect(after).toEqual(before);
    expect(after).toMatchObject({ detail: { state: 'failed', errorCode: 'EM_MIGRATION_FAILED', migration: names[3] } });
    await expect(ensureMigrated({ ...options, mode: 'verify' })).rejects.toMatchObject({
      findings: [{ code: 'history-unsettled' }, { code: 'history-pending' }],
    });
    await writeFile(path.join(directory, names[3]), 'create table notes (id int)');
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', findings: [] });
    await expectInSync(database, options);
  });

  test('one that was fine stays so when the repair fails: nothing is left of it', async () => {
    const { database, options } = await makeMigrated();
    await database.query(`create function refuse() returns trigger language plpgsql as $$ begin raise 'no repair today'; end $$;
      create trigger refuse before insert on knex_migrations_journal for each row when (new.kind = 'repair') execute function refuse()`);
    const before = await history(options);
    await expect(repair(options, { action: 'breaking', migration: '02', ...said })).rejects.toMatchObject({
      message: expect.stringContaining('no repair today') as string,
    });
    expect(await history(options)).toEqual(before);
    await expectInSync(database, options);
    for (const mode of ['wait', 'verify'] as const)
      await expect(ensureMigrated({ ...options, mode })).resolves.toMatchObject({ status: 'in-sync' });
  });
});

test('a repair waits for a boot that is at work, and says so', async () => {
  const stall = `export const up = async (knex) => await knex.raw("select pg_sleep(case when '" + (process.env.STALL ?? '') + "' = '' then 0 else 300 end)");
    export const down = async () => undefined;`;
  const { database, directory, options } = await makeProject({ '05_slow.js': stall });
  await upgrade(options, { target: { steps: 4 } });
  const booting = startBoot({ connection: database.url, directory }, { STALL: 'yes' });
  await booting.waitForEvent('step.started');
  const events: string[] = [];
  const onProgress: Options['onProgress'] = ({ event }) => events.push(event);
  const waiting = repair({ ...options, onProgress }, { action: 'breaking', migration: '02', ...said });
  await poll(() => Promise.resolve(events.includes('lock.waiting') || undefined));
  expect(await database.query(`select from knex_migrations_journal where kind = 'repair'`)).toEqual([]);
  await booting.kill();
  await expect(waiting).resolves.toMatchObject({ after: { compatible: false } });
  expect(events).toContain('repair.done');
});

test('two repairs at once queue: the second finds that it is done', async () => {
  const { database, options } = await makeProject();
  await upgrade(options);
  const request = { action: 'breaking', migration: '02', ...said } as const;
  const ended = await Promise.allSettled([repair(options, request), repair(options, request)]);
  expect(ended.map(({ status: each }) => each).sort()).toEqual(['fulfilled', 'rejected']);
  expect(ended.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'EM_REPAIR_REFUSED' } });
  expect(await database.query(`select from knex_migrations_journal where kind = 'repair'`)).toHaveLength(1);
  await expectInSync(database, options);
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('a repair is one transaction with its lock, and nothing of a refused one stays', async () => {
    const { database, directory, options } = await makeMigrated();
    const pooler = await startPgBouncer(database.url);
    const pooled = { ...options, connection: pooler.urlOf(database.url) };
    await writeFile(path.join(directory, names[1]), edited);
    await repair(pooled, { action: 'accept', migration: '02', ...said });
    await expectInSync(database, options);
    const before = await recordsOf(database);
    await expect(repair(pooled, { action: 'done', migration: '02', ...said })).rejects.toMatchObject({ code: 'EM_REPAIR_REFUSED' });
    expect(await recordsOf(database)).toEqual(before);
    expect(await database.query(`select from pg_stat_activity where datname = current_database() and state like 'idle in%'`)).toEqual([]);
  });
});

test('a role that may only read is told which right it lacks', async () => {
  const { database, directory, options } = await makeProject();
  await upgrade(options);
  const reader = await database.createRole();
  await database.query(`grant select on knex_migrations, knex_migrations_lock, knex_migrations_journal to "${reader.name}"`);
  const before = await recordsOf(database);
  const request = { action: 'breaking', migration: '02', ...said } as const;
  await expect(repair({ connection: reader.url, migrations: directory, logger: false }, request)).rejects.toMatchObject({
    code: 'EM_CHECK_FAILED',
  });
  expect(await recordsOf(database)).toEqual(before);
});

test('a name in two forms is one migration: the history has .ts, the image has .js', async () => {
  const { database, options } = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
  await upgrade(options);
  await database.query(`update knex_migrations set name = '02_total.ts' where name = '02_total.js'`);
  await database.query(`update knex_migrations_journal set migration = '02_total.ts' where migration = '02_total.js'`);
  await repair(options, { action: 'breaking', migration: '02_total.js', ...said });
  expect(await lastRepairOf(database)).toMatchObject({ migration: '02_total.ts' });
  await expectInSync(database, options);
});
