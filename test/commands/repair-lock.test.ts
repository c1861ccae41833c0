import { describe, expect, test } from 'vitest';
import { repair, upgrade, type Locks, type RepairOptions, type RepairQuestion } from '../../src/commands/index.js';
import { ensureMigrated, type Options } from '../../src/index.js';
import { holdersOf, poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { runKnex } from '../support/knex-cli.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import type { TestDatabase } from '../support/servers.js';
import { makeProject, names } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

const lock = { action: 'lock', reason: 'the deploy was killed', yes: true } as const;
const slow = {
  '05_slow.js': `export const up = async (knex) => { if (process.env.STALL) await knex.raw('select pg_sleep(300)'); };
    export const down = async () => undefined;`,
};

async function freed(options: Options, more: Partial<RepairOptions> = {}): Promise<{ before: Locks; after: Locks }> {
  const repaired = await repair(options, { ...lock, ...more });
  expectPrinted('repair', repaired);
  return repaired as { before: Locks; after: Locks };
}

async function rowOf(database: TestDatabase): Promise<unknown> {
  return (await database.query('select is_locked from knex_migrations_lock')).map(({ is_locked: locked }) => locked as number);
}

async function repairsOf(database: TestDatabase): Promise<unknown[]> {
  const rows = await database.query(`select detail -> 'repair' as repair from knex_migrations_journal where kind = 'repair' order by id`);
  return rows.map(({ repair: each }) => each as unknown);
}

/** A boot that stops in its last migration, with the lock. */
async function makeHeld() {
  const project = await makeProject(slow);
  const booting = startBoot({ connection: project.database.url, directory: project.directory }, { STALL: 'yes' });
  const { pid } = await waitUntilRuns(project.database, 'pg_sleep');
  return { ...project, booting, pid };
}

describe("knex's lock row", () => {
  test('that is stuck is cleared, which goes on record', async () => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { steps: 2 } });
    await database.query('update knex_migrations_lock set is_locked = 1');
    await expect(ensureMigrated({ ...options, timeouts: { lockMs: 1 } })).rejects.toMatchObject({
      code: 'EM_KNEX_LOCKED',
      remedy: expect.stringContaining('`ensure-migrated repair lock`') as string,
    });
    const { before, after } = await freed(options);
    expect(before).toMatchObject({ holder: undefined, isLocked: true, setBy: 'knex', owner: { state: 'clear' } });
    expect(after).toMatchObject({ holder: undefined, isLocked: false, setBy: undefined });
    expect(await rowOf(database)).toEqual([0]);
    expect(await repairsOf(database)).toMatchObject([{ action: "lock: cleared knex's row", reason: lock.reason }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: { length: 2 } });
  });

  test('is cleared where only knex has ever migrated', async () => {
    const { database, directory, options } = await makeProject({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    await runKnex('migrate:latest', { url: database.url, directory });
    await database.query('update knex_migrations_lock set is_locked = 1');
    expect(await freed(options)).toMatchObject({ before: { setBy: 'knex', owner: undefined }, after: { isLocked: false } });
    expect(await repairsOf(database)).toHaveLength(1);
    expect(await runKnex('migrate:rollback', { url: database.url, directory })).toMatchObject({ code: 0 });
  });

  test('that a dead run of ours has set is cleared, and knex may migrate', async () => {
    const { database, options, booting } = await makeHeld();
    await booting.kill();
    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined));
    const { before, after } = await freed(options);
    expect(before).toMatchObject({ setBy: 'ensure-migrated', owner: { state: 'active', migration: '05_slow.js' } });
    expect(after).toMatchObject({ isLocked: false });
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: '05_slow.js' }] });
  });

  test('stays set while a knex is at work', async () => {
    const gate = `exports.config = { transaction: false };
      exports.up = async (knex) => await knex.raw('create index concurrently orders_id on orders (id)'); exports.down = async () => undefined;`;
    const { database, directory, options } = await makeProject({
      '04_notes.up.sql': undefined,
      '04_notes.down.sql': undefined,
      '05_gate.cjs': gate,
    });
    await upgrade(options, { target: { steps: 3 } });
    const other = await database.connect();
    await other.query('begin; insert into orders (customer) values (1)'); // the build waits for this transaction
    const theirs = runKnex('migrate:latest', { url: database.url, directory: directory });
    await poll(
      async () =>
        (
          await database.query(
            `select from pg_stat_activity where datname = current_database() and query like 'create index%' and state = 'active'`,
          )
        )[0],
    );
    expect(await rowOf(database)).toEqual([1]);
    await expect(repair(options, lock)).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
      message: expect.stringMatching(
        /these sessions may be knex at work: pid \d+ \(no name, .+, active\): create index concurrently/,
      ) as string,
    });
    expect(await rowOf(database)).toEqual([1]);
    await other.query('commit');
    expect(await theirs).toMatchObject({ code: 0 });
    expect(await freed(options)).toMatchObject({ before: { isLocked: false }, after: { isLocked: false } });
  });

  test('is not cleared without a yes', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('update knex_migrations_lock set is_locked = 1');
    const asked: RepairQuestion[] = [];
    const confirm = async (question: RepairQuestion) => await Promise.resolve(asked.push(question) === 0);
    const production = { ...options, environment: 'production' };
    await expect(repair(production, { ...lock, yes: false, confirm })).rejects.toMatchObject({ code: 'EM_NOT_CONFIRMED' });
    expect(asked).toMatchObject([
      { action: 'lock', change: "clears knex's lock row, which knex or a person has set", before: { isLocked: true } },
    ]);
    expect(await rowOf(database)).toEqual([1]);
    expect(await repairsOf(database)).toEqual([]);
  });

  test('that somebody sets anew while the question is open is theirs', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('update knex_migrations_lock set is_locked = 1');
    const confirm = async () => {
      await database.query('update knex_migrations_lock set is_locked = 1');
      return true;
    };
    const repairing = repair({ ...options, environment: 'production' }, { ...lock, yes: false, confirm });
    expect(await repairing).toMatchObject({ after: { isLocked: true } });
    expect(await rowOf(database)).toEqual([1]);
    expect(await repairsOf(database)).toEqual([]);
  });
});

describe('the migration lock', () => {
  test('that is held is a refusal at once, which says by whom and at what; nothing is changed', async () => {
    const { database, options, pid, booting } = await makeHeld();
    await expect(repair(options, lock)).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
      message: expect.stringMatching(
        new RegExp(
          `^the migration lock is held by pid ${pid} \\(ensure-migrated/.+, at 05_slow\\.js \\(5 of 5\\); it last ran: select pg_sleep`,
        ),
      ) as string,
      remedy: expect.stringContaining('repair lock --terminate') as string,
    });
    expect(await holdersOf(database)).toEqual([pid]);
    expect(await rowOf(database)).toEqual([1]);
    await booting.kill();
  });

  test('is taken from a frozen holder by ending its session, which goes on record; a boot goes on', async () => {
    const { database, options, pid, booting } = await makeHeld();
    booting.signal('SIGSTOP');
    const { before, after } = await freed(options, { terminate: true });
    expect(before).toMatchObject({ holder: { pid, migration: '05_slow.js' }, isLocked: true, setBy: 'ensure-migrated' });
    expect(after).toMatchObject({ holder: undefined, isLocked: false });
    expect(await holdersOf(database)).toEqual([]);
    expect(await repairsOf(database)).toMatchObject([{ action: `lock: ended pid ${pid}` }, { action: "lock: cleared knex's row" }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: '05_slow.js' }] });
    await booting.kill();
  });

  test('goes to whoever waits for it, who is left alone', async () => {
    const { database, directory, options, pid, booting } = await makeHeld();
    const waiting = startBoot({ connection: database.url, directory });
    await waiting.waitForEvent('lock.waiting');
    await freed(options, { terminate: true });
    await waiting.waitForEvent('service.ready');
    expect(await booting.ended).toMatchObject({ code: 75 });
    expect(await database.query('select name from knex_migrations order by id')).toEqual(
      [...names, '05_slow.js'].map((name) => ({ name })),
    );
    expect(await rowOf(database)).toEqual([0]);
    expect((await repairsOf(database))[0]).toMatchObject({ action: `lock: ended pid ${pid}` });
  });

  test('stays with its holder without a yes, and with another holder than the one that was shown', async () => {
    const { database, directory, options, pid, booting } = await makeHeld();
    const production = { ...options, environment: 'production' };
    await expect(repair(production, { ...lock, yes: false, terminate: true })).rejects.toMatchObject({ code: 'EM_NOT_CONFIRMED' });
    expect(await holdersOf(database)).toEqual([pid]);
    let next: ReturnType<typeof startBoot> | undefined;
    const confirm = async () => {
      await booting.kill();
      next = startBoot({ connection: database.url, directory }, { STALL: 'yes' });
      await next.waitForEvent('step.started');
      return true;
    };
    await expect(repair(production, { ...lock, yes: false, terminate: true, confirm })).rejects.toMatchObject({
      code: 'EM_REPAIR_REFUSED',
    });
    expect(await holdersOf(database)).toHaveLength(1);
    expect(await repairsOf(database)).toEqual([]);
    await next?.kill();
  });

  test('stays with its holder where this role may not end its session', async () => {
    const { database, directory, pid, booting } = await makeHeld();
    const role = await database.createRole();
    await database.query(`grant all on all tables in schema public to "${role.name}"`);
    const options = { connection: role.url, migrations: directory, logger: false } as const;
    await expect(repair(options, { ...lock, terminate: true })).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    expect(await holdersOf(database)).toEqual([pid]);
    await booting.kill();
  });
});

test('where nothing is locked nothing is asked, and nothing is written', async () => {
  const { database, options } = await makeProject();
  expect(await freed({ ...options, environment: 'production' }, { yes: false, terminate: true })).toMatchObject({
    before: { isLocked: false },
  });
  expect(await database.query(`select relname from pg_class where relname like 'knex%'`)).toEqual([]);
  await upgrade(options);
  expect(await freed({ ...options, environment: 'production' }, { yes: false })).toMatchObject({
    before: { isLocked: false, setBy: undefined },
  });
  expect(await repairsOf(database)).toEqual([]);
});

describeWithPgBouncer('behind PgBouncer', () => {
  test("knex's stuck row is cleared in one transaction with the lock, and no transaction stays open", async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('update knex_migrations_lock set is_locked = 1');
    const pooler = await startPgBouncer(database.url);
    expect(await freed({ ...options, connection: pooler.urlOf(database.url) })).toMatchObject({ after: { isLocked: false } });
    expect(await repairsOf(database)).toHaveLength(1);
    expect(await holdersOf(database)).toEqual([]);
    expect(await database.query(`select from pg_stat_activity where datname = current_database() and state like 'idle in%'`)).toEqual([]);
  });
});
