import { describe, expect, test } from 'vitest';
import { downgrade, stamp, status, upgrade, type StampOptions } from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options } from '../../src/index.js';
import { runKnex } from '../support/knex-cli.js';
import { poll, waitUntilRuns } from '../support/boot.js';
import { runCliHere } from '../support/cli.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { startProxy } from '../support/proxy.js';
import type { TestDatabase } from '../support/servers.js';
import { atBase, atHead, contentsOf, makeMigrated, makeProject, names } from './fixture.js';

/** A project whose database stands at head. */
async function migrated(others?: Readonly<Record<string, string | undefined>>) {
  if (others === undefined) return await makeMigrated();
  const project = await makeProject(others);
  await upgrade(project.options);
  return project;
}

async function failureOf(work: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

async function rowsOf(database: TestDatabase) {
  return await database.query('select name, batch from knex_migrations order by id');
}

/** The stamps of the journal that a person has asked for. */
async function stampsOf(database: TestDatabase) {
  const rows = await database.query(
    `select migration, detail from knex_migrations_journal where kind = 'stamp' and not detail ? 'adopted' order by id`,
  );
  return rows.map(({ migration, detail }): Record<string, unknown> => ({ migration: migration as string, ...(detail as object) }));
}

/** Boots, and counts the round trips. */
async function bootCounted(database: TestDatabase, options: Options) {
  const proxy = await startProxy(database.url);
  const { status } = await ensureMigrated({ ...options, connection: proxy.urlOf(database.url) });
  return { status, ...proxy.counts() };
}

async function scratchesOf(database: TestDatabase) {
  return await database.query(
    `select datname from pg_database where datname like 'em\\_s\\_' || (select oid from pg_database where datname = current_database()) || '\\_%'`,
  );
}

describe('a stamp forward', () => {
  test('records what the schema has, without running it, and the boot after it is in sync in one round trip', async () => {
    const { database, options } = await migrated();
    await database.query('drop table knex_migrations, knex_migrations_lock, knex_migrations_journal');
    const result = await stamp(options, { target: { to: '03_index' }, reason: 'the history was lost' });
    expect(result).toEqual({
      before: [],
      after: names.slice(0, 3),
      recorded: names.slice(0, 3),
      unrecorded: [],
      proof: { status: 'proved', comparedCount: expect.any(Number) as number, findings: [] },
    });
    expect(result.proof.comparedCount).toBeGreaterThan(5);
    expect(await rowsOf(database)).toEqual(names.slice(0, 3).map((name) => ({ name, batch: null })));
    const [first] = await stampsOf(database);
    expect(first).toMatchObject({
      migration: names[0],
      direction: 'up',
      status: 'done',
      checksum: expect.stringMatching(/^js:/) as string,
      reason: 'the history was lost',
      by: expect.any(String) as string,
      host: expect.any(String) as string,
    });
    expect(first).not.toHaveProperty('force');
    await stamp(options, { target: 'head' });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await database.query('select count(*)::int as rows from orders')).toEqual([{ rows: 2 }]);
    expect(await bootCounted(database, options)).toMatchObject({ status: 'in-sync', roundTrips: 1 });
    expect(await status(options)).toMatchObject({ inSync: true, findings: [] });
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('that would lie is refused, and names each object that is not there (the guide\'s "stamp head, then upgrade head")', async () => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { to: '01_orders' } });
    await database.query('create table notes (id int primary key)');
    const before = await contentsOf(database);
    const error = await failureOf(stamp(options, { target: 'head' }));
    expect(error).toMatchObject({ code: 'EM_SCHEMA_DIFFERS', exitCode: 78 });
    expect(error.findings.map(({ code, level, message }) => [code, level, message])).toEqual([
      ['schema-missing', 'error', 'column public.orders.total is not there'],
      ['schema-missing', 'error', 'comment table public.notes is not there'],
      ['schema-missing', 'error', 'index orders_customer_idx on public.orders is not there'],
      [
        'schema-differs',
        'error',
        'not as the migrations make it: column public.notes.id was changed: was `bigint not null`, is `integer not null`',
      ],
    ]);
    expect(await contentsOf(database)).toEqual(before);
    expect(await stampsOf(database)).toEqual([]);
    expect(await database.query(`select detail ->> 'state' as state from knex_migrations_journal where kind = 'owner'`)).toEqual([
      { state: 'clear' },
    ]);
    await database.query('drop table notes');
    expect(await upgrade(options)).toMatchObject({ to: names[3] });
  });

  test('over a hole puts the row where the file stands, and keeps the batches of the others', async () => {
    const { database, options } = await migrated();
    await database.query(`delete from knex_migrations where name = $1`, [names[1]]);
    expect(await stamp(options, { target: 'head' })).toMatchObject({ recorded: [names[1]], after: [...names] });
    expect(await rowsOf(database)).toEqual([
      { name: names[0], batch: 1 },
      { name: names[1], batch: null },
      { name: names[2], batch: 1 },
      { name: names[3], batch: 1 },
    ]);
    expect(await bootCounted(database, options)).toMatchObject({ status: 'in-sync', roundTrips: 1 });
  });

  test('of migrations that only write rows says that nobody can see whether they ran', async () => {
    const { options } = await migrated({ '05_rows.sql': undefined });
    const project = await makeProject({ '05_rows.sql': `update orders set customer = upper(customer);` });
    await upgrade(project.options, { target: { to: '04' } });
    const { proof } = await stamp(project.options, { target: 'head' });
    expect(proof).toMatchObject({ status: 'proved', comparedCount: 0, findings: [{ code: 'stamp-unseen', level: 'info' }] });
    expect(proof.findings[0]?.message).toContain('05_rows.sql');
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync' });
  });

  test('by a role that does not own the tables compares all but who owns them', async () => {
    const { database, options } = await migrated();
    const role = await database.createRole('createdb');
    await database.query(`grant all on schema public to ${role.name}; grant all on knex_migrations, knex_migrations_lock, knex_migrations_journal to ${role.name};
      grant all on all sequences in schema public to ${role.name}`);
    await database.query(`delete from knex_migrations where name = $1`, [names[3]]);
    const asRole = { ...options, connection: role.url };
    expect(await stamp(asRole, { target: 'head' })).toMatchObject({ recorded: [names[3]], proof: { status: 'proved' } });
    await database.query(`delete from knex_migrations where name = $1`, [names[3]]);
    await database.query('comment on table notes is null');
    expect((await failureOf(stamp(asRole, { target: 'head' }))).findings.map(({ message }) => message)).toEqual([
      'comment table public.notes is not there',
    ]);
  });
});

describe('a stamp backward', () => {
  test('unrecords what is gone from the schema, and the next upgrade runs it again', async () => {
    const { database, options } = await migrated();
    await database.query('drop table notes; drop index orders_customer_idx');
    expect(await stamp(options, { target: { to: '02_total' } })).toMatchObject({
      before: [...names],
      after: names.slice(0, 2),
      recorded: [],
      unrecorded: names.slice(2),
      proof: { status: 'proved', findings: [] },
    });
    expect((await stampsOf(database)).map(({ migration, direction, status: ended }) => [migration, direction, ended])).toEqual(
      names.slice(2).map((name) => [name, 'down', 'undone']),
    );
    expect(await status(options)).toMatchObject({ pending: names.slice(2), unfinished: [] });
    expect(await upgrade(options)).toMatchObject({ applied: [{ name: names[2] }, { name: names[3] }] });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('of what is still there is refused, and names each object', async () => {
    const { database, options } = await migrated();
    const error = await failureOf(stamp(options, { target: 'base' }));
    expect(error.code).toBe('EM_SCHEMA_DIFFERS');
    expect(error.findings.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'schema-extra table public.notes is there, and the migrations do not leave it',
      'schema-extra table public.orders is there, and the migrations do not leave it',
    ]);
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('to base leaves an empty history that a boot fills again', async () => {
    const { database, options } = await migrated();
    await database.query('drop table notes, orders');
    expect(await stamp(options, { target: 'base' })).toMatchObject({ after: [], unrecorded: [...names] });
    expect(await contentsOf(database)).toEqual(atBase);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', to: names[3] });
    expect(await downgrade(options, { target: 'base', yes: true }).then(({ reverted }) => reverted?.length)).toBe(4);
  });
});

describe('purge', () => {
  test('replaces a wrong history by what the target says; the files that are gone are named', async () => {
    const { database, options } = await migrated();
    await database.query(
      `insert into knex_migrations (name, batch, migration_time) values ('00_gone.js', 1, now()), ($1, 2, now()), ('09_newer.js', 3, now())`,
      [names[1]],
    );
    const wrong = await rowsOf(database);
    expect(await failureOf(stamp(options, { target: 'head' }))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('00_gone.js, 09_newer.js; rows that repeat others: 02_total.js') as string,
    });
    expect(await rowsOf(database)).toEqual(wrong);
    const result = await stamp(options, { target: 'head', purge: true });
    expect(result).toMatchObject({ after: [...names], recorded: [], unrecorded: ['00_gone.js', '09_newer.js'] });
    expect(result.before).toHaveLength(7);
    expect(result.proof.findings).toMatchObject([
      { code: 'stamp-unseen', message: expect.stringContaining('00_gone.js, 09_newer.js') as string },
    ]);
    expect(await rowsOf(database)).toEqual(names.map((name) => ({ name, batch: 1 })));
    expect(await bootCounted(database, options)).toMatchObject({ status: 'in-sync', roundTrips: 1 });
  });
});

describeWithPgBouncer('behind a pooler', () => {
  test('a stamp is proved around it, refused without a way around, and recorded in one transaction when it is forced', async () => {
    const { database, options } = await migrated();
    const pgbouncer = await startPgBouncer(database.url);
    const pooled = { ...options, connection: pgbouncer.urlOf(database.url) };
    const unrecord = `delete from knex_migrations where name = '${names[3]}'`;
    await database.query(unrecord);
    expect(await failureOf(stamp(pooled, { target: 'head' }))).toMatchObject({
      code: 'EM_SCRATCH_UNAVAILABLE',
      remedy: expect.stringContaining('directConnection') as string,
    });
    expect(await rowsOf(database)).toHaveLength(3);
    const forced = await stamp(pooled, { target: 'head', force: true });
    expect(forced).toMatchObject({ recorded: [names[3]], proof: { status: 'forced' } });
    expect(await contentsOf(database)).toEqual(atHead);
    await database.query(unrecord);
    const around = { ...pooled, directConnection: database.url };
    expect(await stamp(around, { target: 'head' })).toMatchObject({ recorded: [names[3]], proof: { status: 'proved' } });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await ensureMigrated(pooled)).toMatchObject({ status: 'in-sync' });
  });
});

describe('knex beside a stamp', () => {
  test('accepts the history, rolls back what has a batch, and leaves alone what was stamped', async () => {
    const { database, options, directory } = await migrated({ '04_notes.up.sql': undefined, '04_notes.down.sql': undefined });
    await database.query(`delete from knex_migrations where name = $1`, [names[0]]);
    await stamp(options, { target: 'head' });
    const project = { url: database.url, directory };
    expect((await runKnex('migrate:list', project)).stdout).toMatch(/Found 3 Completed Migration[^]*No Pending Migration/);
    expect((await runKnex('migrate:rollback', project)).stdout).toContain('Batch 1 rolled back: 2 migrations');
    expect((await runKnex('migrate:rollback', project)).stdout).toContain('Already at the base migration');
    expect(await rowsOf(database)).toEqual([{ name: names[0], batch: null }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', to: names[2] });
  });
});

describe('force', () => {
  const lie: StampOptions = { target: 'head', force: true, reason: 'made elsewhere, password=hunter2' };

  test('records a lie with what speaks against it, by whom and why', async () => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { to: '03' } });
    const { proof } = await stamp(options, lie);
    expect(proof).toMatchObject({
      status: 'forced',
      findings: [{ code: 'schema-missing', level: 'warn', message: 'table public.notes is not there' }],
    });
    expect(await stampsOf(database)).toMatchObject([{ migration: names[3], force: true, reason: 'made elsewhere, password=***' }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync', to: names[3] });
  });

  test('goes on without CREATEDB, without which the stamp is refused with the grant', async () => {
    const { database, options } = await migrated();
    const role = await database.createRole();
    await database.query(`grant all on schema public to ${role.name}; grant all on all tables in schema public to ${role.name};
      grant all on all sequences in schema public to ${role.name}`);
    await database.query(`delete from knex_migrations where name = '${names[3]}'`);
    const asRole = { ...options, connection: role.url };
    const error = await failureOf(stamp(asRole, { target: 'head' }));
    expect(error).toMatchObject({ code: 'EM_SCRATCH_UNAVAILABLE', exitCode: 78 });
    expect(error.remedy).toMatch(/alter role ".*" createdb;.*Or stamp with force/);
    expect(await rowsOf(database)).toHaveLength(3);
    const { proof } = await stamp(asRole, { target: 'head', force: true });
    expect(proof).toMatchObject({ status: 'forced', comparedCount: 0, findings: [{ code: 'stamp-unproved', level: 'warn' }] });
    expect(await stampsOf(database)).toMatchObject([{ migration: names[3], force: true }]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync' });
  });

  test('goes on where the files cannot be run from the start, which is refused without it', async () => {
    const { database, options } = await makeProject({ '02_total.js': undefined, '05_late.sql': 'alter table orders drop column total;' });
    await database.query('create table orders (id int, total int)');
    const error = await failureOf(stamp(options, { target: 'head' }));
    expect(error).toMatchObject({ code: 'EM_REPLAY_FAILED', message: expect.stringContaining('05_late.sql') as string });
    expect(await database.query(`select to_regclass('knex_migrations') as history`)).toEqual([{ history: null }]);
    expect(await stamp(options, { target: 'head', force: true })).toMatchObject({ proof: { status: 'forced' } });
    expect(await rowsOf(database)).toHaveLength(4);
  });
});

describe('at the lock', () => {
  test('two stamps queue, and the second finds nothing left to record', async () => {
    const { database, options } = await migrated();
    await database.query(`delete from knex_migrations where name = any ($1)`, [names.slice(2)]);
    await database.query('update knex_migrations_lock set is_locked = 1'); // whoever has the lock waits inside it
    const events: string[] = [];
    const onProgress = ({ event }: { readonly event: string }) => void events.push(event);
    const stamps = [1, 2].map(async () => await stamp({ ...options, onProgress }, { target: 'head' }));
    await poll(() => Promise.resolve(events.includes('lock.waiting') && events.includes('lock.knex-waiting') ? true : undefined));
    expect(await rowsOf(database)).toHaveLength(2);
    await database.query('update knex_migrations_lock set is_locked = 0');
    const recorded = (await Promise.all(stamps)).map(({ recorded: names }) => names.length);
    expect(recorded.sort()).toEqual([0, 2]);
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('a stamp that knex makes needless at the last moment leaves no lock of its own behind', async () => {
    const { database, options } = await migrated();
    await database.query(`delete from knex_migrations where name = $1`, [names[3]]);
    const knex = await database.connect();
    await knex.query('begin; lock table knex_migrations_lock in exclusive mode');
    const heard = new Set<string>();
    const stamping = stamp({ ...options, onProgress: ({ event }) => void heard.add(event) }, { target: 'head' });
    await poll(() => Promise.resolve(heard.has('lock.knex-waiting') ? true : undefined));
    await knex.query(`insert into knex_migrations (name, batch, migration_time) values ('${names[3]}', 2, now()); commit`);
    expect(await stamping).toMatchObject({ recorded: [] });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await ensureMigrated({ ...options, mode: 'verify' })).toMatchObject({ status: 'in-sync' });
  });

  test('a boot beside a stamp waits for it, and is in sync then', async () => {
    const { database, options } = await migrated();
    await database.query(`delete from knex_migrations where name = any ($1)`, [names.slice(2)]);
    await database.query('update knex_migrations_lock set is_locked = 1');
    const heard = new Set<string>();
    const onProgress = ({ event }: { readonly event: string }) => void heard.add(event);
    const stamping = stamp({ ...options, onProgress }, { target: 'head' });
    await poll(() => Promise.resolve(heard.has('lock.knex-waiting') ? true : undefined));
    const boot = ensureMigrated({ ...options, onProgress });
    await poll(() => Promise.resolve(heard.has('lock.waiting') ? true : undefined));
    await database.query('update knex_migrations_lock set is_locked = 0');
    expect(await stamping).toMatchObject({ recorded: names.slice(2) });
    expect(await boot).toMatchObject({ status: 'in-sync', applied: [] });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('a stamp beside a boot waits for it, and records nothing that has been run meanwhile', async () => {
    const slow = `do $$ begin if current_database() not like 'em\\_s\\_%' then perform pg_sleep(3); end if; end $$;`;
    const { database, options } = await makeProject({ '05_slow.sql': `${slow} create table slow ();` });
    const boot = ensureMigrated(options);
    await waitUntilRuns(database, 'pg_sleep');
    await database.query('create table slow_by_hand ()');
    const heard = new Set<string>();
    const onProgress = ({ event }: { readonly event: string }) => void heard.add(event);
    const stamping = stamp({ ...options, onProgress }, { target: 'head' });
    expect(await boot).toMatchObject({ status: 'migrated', to: '05_slow.sql' });
    expect(await stamping).toMatchObject({ before: [...names, '05_slow.sql'], recorded: [] });
    expect(heard).toContain('lock.waiting');
  });

  test("waits for a knex run that has set knex's own lock", async () => {
    const { database, options } = await migrated();
    await database.query(`delete from knex_migrations where name = $1`, [names[3]]);
    await database.query('update knex_migrations_lock set is_locked = 1');
    const impatient = { ...options, timeouts: { lockMs: 300 } };
    expect(await failureOf(stamp(impatient, { target: 'head' }))).toMatchObject({ code: 'EM_KNEX_LOCKED' });
    expect(await rowsOf(database)).toHaveLength(3);
    await database.query('update knex_migrations_lock set is_locked = 0');
    expect(await stamp(impatient, { target: 'head' })).toMatchObject({ recorded: [names[3]] });
  });
});

describe('the command line', () => {
  test('shows the history before and after, what was recorded, and what the database said', async () => {
    const { database, options, directory } = await migrated();
    await database.query(`delete from knex_migrations where name = any ($1)`, [names.slice(2)]);
    const where = ['--connection', database.url, '--migrations', directory, '--env', 'production'];
    const run = async (...args: string[]) => await runCliHere([...args, ...where]);
    expect((await run('stamp', 'head')).stdout).toMatch(
      /^The database was at 02_total\.js \(2 recorded\) and is at 04_notes\.up\.sql \(4 recorded\) now\.\n {2}\+ 03_index\.js\n {2}\+ 04_notes\.up\.sql\nProved: \d+ objects are as the stamp says\.\n$/,
    );
    expect((await run('stamp', 'head')).stdout).toBe('Nothing to do: the database is at 04_notes.up.sql.\n');
    const lie = await run('stamp', '02_total');
    expect(lie).toMatchObject({ code: 78, stdout: '' });
    expect(lie.stderr).toContain(
      'EM_SCHEMA_DIFFERS: the stamp would not be true:\n  - schema-extra: index orders_customer_idx on public.orders is there',
    );
    expect(JSON.parse((await run('stamp', '02_total', '--force', '--reason', 'why not', '--json')).stdout)).toMatchObject({
      unrecorded: names.slice(2),
      proof: { status: 'forced' },
    });
    expect(await stampsOf(database)).toMatchObject([{}, {}, { force: true, reason: 'why not' }, { force: true }]);
    expect(await stamp(options, { target: 'head' })).toMatchObject({ recorded: names.slice(2) });
  });
});
