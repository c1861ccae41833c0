import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { ensureMigrated, type Options, type Outcome } from '../../src/index.js';
import { poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { makeMigrations } from '../support/migrations.js';
import { createDatabase, startServer, type TestDatabase } from '../support/servers.js';

const first = {
  '01_documents':
    'create table documents (id int primary key, body text); insert into documents select n, n from generate_series(1, 100) n',
};
const alters = { ...first, '02_title': 'alter table documents add column title text' };

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await boot(await makeMigrations(first));
});

async function boot(migrations: string, options: Options = {}): Promise<Outcome> {
  return await ensureMigrated({ connection: database.url, migrations, logger: false, ...options });
}

describe('a migration that must wait for a table which is read all the time', () => {
  test('stalls no reader for more than 250 ms, and gets in when the 4 s transaction before it has ended', async () => {
    const owner = await createOwner(); // an ordinary role: it sees nothing of what the readers, of another role, wait for but their locks
    const readers = await startReaders(10);
    const analyst = await openTransaction('analyst');
    const service = startBoot({ connection: owner.url, directory: await makeMigrations(alters) });
    await service.waitForEvent('step.started');
    await sleep(4_000);
    await analyst.query('commit');
    const { outcome } = await service.waitForEvent('service.ready');
    const { worstMs } = await readers.stop();
    expect(worstMs).toBeLessThanOrEqual(250);
    expect(outcome).toMatchObject({ status: 'migrated', applied: [{ name: '02_title.js' }] });
    expect((outcome as Outcome).applied[0]!.tries).toBeGreaterThan(2);
    expect(await attempts()).toEqual([{ status: 'done', tries: (outcome as Outcome).applied[0]!.tries }]);
  });

  test('without a second connection is bounded by lock_timeout, and gets in too', async () => {
    const role = await createOwner('connection limit 1');
    const readers = await startReaders(10);
    const analyst = await openTransaction('analyst');
    const service = startBoot({ connection: role.url, directory: await makeMigrations(alters) });
    await service.waitForEvent('watch.unavailable');
    for (let tries = 1; tries <= 3; tries++) await service.waitForLine(new RegExp(`"tries":${tries},.*"event":"step.retried"`));
    await analyst.query('commit');
    const { outcome } = await service.waitForEvent('service.ready');
    const { worstMs } = await readers.stop();
    expect(worstMs).toBeLessThanOrEqual(750); // lock_timeout is at most 500 ms
    expect(outcome).toMatchObject({ status: 'migrated', applied: [{ name: '02_title.js' }] });
    expect((outcome as Outcome).applied[0]!.tries).toBeGreaterThan(3);
  });

  test('outside a transaction has the one statement that waits taken back, not what came before it', async () => {
    const readers = await startReaders(10);
    const analyst = await openTransaction('analyst');
    const sql = ['create table notes (id int)', 'alter table documents add column title text', 'insert into notes values (1)'];
    const directory = await makeMigrations({ ...first, '02_title': { sql, transaction: false } });
    const service = startBoot({ connection: database.url, directory });
    await service.waitForLine(/"tries":3,.*"event":"step.retried"/);
    await analyst.query('commit');
    const { outcome } = await service.waitForEvent('service.ready');
    const { worstMs } = await readers.stop();
    expect(worstMs).toBeLessThanOrEqual(250);
    const { tries } = (outcome as Outcome).applied[0]!;
    expect(tries).toBeGreaterThan(3);
    expect(await attempts()).toEqual([{ status: 'done', tries }]);
    expect(await database.query(`select name from ran where name like '02%'`)).toEqual([{ name: '02_title' }]);
    expect(await database.query('select id from notes')).toEqual([{ id: 1 }]);
  });

  test.each([
    ['whose watching connection was ended', { '02_title': 'alter table documents add column title text' }, 'ended'],
    [
      'that speaks of CONCURRENTLY in a comment',
      { '02_title': '/* not concurrently */ alter table documents add column title text' },
      'kept',
    ],
  ])('%s still lets them through', async (_, pending, watcher) => {
    const analyst = await openTransaction('analyst');
    let onRetried = (): void => undefined;
    const retried = new Promise<void>((resolve) => (onRetried = resolve));
    const migrations = await makeMigrations({ ...first, ...pending });
    const outcome = boot(migrations, { onProgress: ({ event }) => event === 'step.retried' && onRetried() });
    await poll(async () => (await waitersFor(0))[0]);
    if (watcher === 'ended')
      await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%/watch'`,
      );
    const readers = await startReaders(10);
    await Promise.race([retried, outcome, sleep(5_000)]);
    await analyst.query('commit');
    await readers.stop();
    await expect(outcome).resolves.toMatchObject({ status: 'migrated' });
    expect((await outcome).applied[0]!.tries).toBeGreaterThan(1);
  });
});

describe('a transaction that outlasts the deadline', () => {
  test.each([
    ['a superuser', async () => database.url, 'idle in transaction'],
    ['an ordinary role', async () => (await createOwner()).url, 'hidden from this role'],
  ])('is named to %s, with its pid and application; nothing is changed, and the next boot gets in', async (_, urlOf, state) => {
    const connection = await urlOf();
    const directory = await makeMigrations(alters);
    const analyst = await openTransaction('nightly report');
    const { rows } = await analyst.query<{ pid: number }>('select pg_backend_pid() as pid');
    const error = await boot(directory, { connection, timeouts: { callMs: 1_000 } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true, exitCode: 75 });
    expect((error as Error).message).toMatch(new RegExp(`02_title\\.js: .*blocked by pid ${rows[0]!.pid} \\(.*nightly report.*${state}`));
    expect(await database.query(`select from pg_attribute where attrelid = 'documents'::regclass and attname = 'title'`)).toEqual([]);
    expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    expect(await database.query('select name from knex_migrations')).toEqual([{ name: '01_documents.js' }]);
    const attempts = `select detail ->> 'status' as status from knex_migrations_journal where kind = 'attempt' and migration = '02_title.js'`;
    expect(await database.query(attempts)).toEqual([{ status: 'failed' }]);
    await analyst.query('commit');
    await expect(boot(directory, { connection })).resolves.toMatchObject({
      status: 'migrated',
      applied: [{ name: '02_title.js', tries: 1 }],
    });
    expect(await database.query('select name from ran order by name')).toEqual([{ name: '01_documents' }, { name: '02_title' }]);
  });
});

test('the time of its own statements is no waiting, of which a call has only so much', async () => {
  const analyst = await openTransaction('analyst');
  const sql = ['select pg_sleep(1.1)', 'alter table documents add column title text'];
  const outcome = boot(await makeMigrations({ ...first, '02_title': { sql } }), { timeouts: { callMs: 1_000 } });
  await poll(async () => (await waitersFor(100))[0]);
  await analyst.query('commit');
  await expect(outcome).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '02_title.js', tries: 1 }] });
});

test('a statement that an operator cancels has failed: it is rolled back, and not sent again', async () => {
  const sql = ['alter table documents add column title text', 'select pg_sleep(30)'];
  const failing = boot(await makeMigrations({ ...first, '02_title': { sql } })).catch((thrown: unknown) => thrown);
  const { pid } = await waitUntilRuns(database, 'pg_sleep(30)');
  await database.query('select pg_cancel_backend($1)', [pid]);
  const error = await failing;
  expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', retryable: false, cause: { code: '57014' } });
  expect(await attempts()).toEqual([{ status: 'failed', tries: 1 }]);
  expect(await database.query(`select from pg_attribute where attrelid = 'documents'::regclass and attname = 'title'`)).toEqual([]);
});

describe('a quiet table', () => {
  test('is waited for in one try: nobody queues behind us, so nothing is cancelled', async () => {
    const analyst = await openTransaction('analyst');
    const outcome = boot(await makeMigrations(alters), { timeouts: { harmMs: 200 } });
    await poll(async () => (await waitersFor(500))[0]);
    await sleep(1_000); // five times the budget, which only the waiting of others uses up
    await analyst.query('commit');
    await expect(outcome).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '02_title.js', tries: 1 }] });
    const [{ waited }] = (await attempts(`(detail ->> 'lockWaitMs')::int as waited`)) as [{ waited: number }];
    expect(waited).toBeGreaterThan(700);
  });
});

describe('a concurrent index build', () => {
  const index = { sql: 'create index concurrently documents_body on documents (body)', transaction: false } as const;
  const indexed = { ...first, '02_index': index };
  const waitsFor = async (statement: string, ms = 0): Promise<void> => {
    await poll(async () => (await waitersFor(ms)).find(({ query }) => query.startsWith(statement)));
  };
  const expectBuilt = async (outcome: Promise<Outcome>, tries: number): Promise<void> => {
    await expect(outcome).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '02_index.js', tries }] });
    const isValid = `select indisvalid as valid from pg_index where indexrelid = 'documents_body'::regclass`;
    expect(await database.query(isValid)).toEqual([{ valid: true }]);
  };

  test('is never cancelled, though others queue behind it for longer than the budget', async () => {
    // On a server of its own: a transaction in any other database would give those who queue an old snapshot, and the build waits for those.
    database = await (await startServer()).createDatabase();
    await boot(await makeMigrations(first));
    const analyst = await openTransaction('analyst', 'set transaction isolation level repeatable read; select 1');
    const outcome = boot(await makeMigrations(indexed), { timeouts: { harmMs: 200 } });
    await waitsFor('create index'); // in its last phase, for the analyst's old snapshot
    await database.query('select pg_current_xact_id()');
    const behind = await openClient('behind');
    const queued = behind.query('alter table documents set (fillfactor = 90)'); // SHARE UPDATE EXCLUSIVE, as the build
    await waitsFor('alter table', 1_000);
    await analyst.query('commit');
    await expectBuilt(outcome, 1);
    await queued;
  });

  test('that was the victim of a deadlock is dropped and built again', async () => {
    const writer = await openTransaction('writer', `update documents set body = 'x' where id = 1`);
    const outcome = boot(await makeMigrations(indexed));
    await waitsFor('create index'); // in its first phase, for those who write
    const behind = await openClient('behind');
    const queued = behind.query('alter table documents set (fillfactor = 90)'); // for the build, which in its last phase waits for it
    await waitsFor('alter table', 1_200); // deadlock_timeout is 1 s: this one has looked for a deadlock in vain
    await writer.query('commit');
    await expectBuilt(outcome, 2);
    await queued;
  });

  test('is not cancelled either when the call has used up its patience: it has begun, and ends well', async () => {
    const writer = await openTransaction('writer', `update documents set body = 'x' where id = 1`);
    const outcome = boot(await makeMigrations(indexed), { timeouts: { callMs: 400 } });
    await waitsFor('create index', 1_000);
    await writer.query('commit');
    await expectBuilt(outcome, 1);
  });
});

/** A role that owns everything here, as an application's often does, and sees nothing of other sessions. */
async function createOwner(attributes?: string): Promise<{ url: string }> {
  const role = await database.createRole(attributes);
  await database.query(`grant all on schema public to ${role.name}`);
  for (const table of ['documents', 'ran', 'knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal']) {
    await database.query(`alter table ${table} owner to ${role.name}`);
  }
  return role;
}

async function openClient(application: string): Promise<pg.Client> {
  const client = await database.connect();
  await client.query(`set application_name = '${application}'`);
  return client;
}

/** A transaction that stays open, holding what `statement` has locked. */
async function openTransaction(application: string, statement = 'select count(*) from documents'): Promise<pg.Client> {
  const client = await openClient(application);
  await client.query('begin');
  await client.query(statement);
  return client;
}

/** Clients that read the table one query after the other. */
async function startReaders(count: number): Promise<{ stop(): Promise<{ worstMs: number }> }> {
  const clients = await Promise.all(Array.from({ length: count }, async () => await openClient('reader')));
  const seen = { worstMs: 0 };
  let stopped = false;
  const read = async (client: pg.Client): Promise<void> => {
    while (!stopped) {
      const startedAt = performance.now();
      await client.query('select count(*) from documents where id = 1');
      seen.worstMs = Math.max(seen.worstMs, performance.now() - startedAt);
      await sleep(5);
    }
  };
  const reading = clients.map(read);
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(reading);
      return seen;
    },
  };
}

/** The statements that have waited for a lock for so long. */
async function waitersFor(ms: number): Promise<{ query: string }[]> {
  const rows = await database.query(
    `select a.query from pg_locks l join pg_stat_activity a using (pid)
     where not l.granted and a.datname = current_database() and clock_timestamp() - l.waitstart >= $1 * interval '1 ms'`,
    [ms],
  );
  return rows as { query: string }[];
}

async function attempts(what = `detail ->> 'status' as status, (detail ->> 'tries')::int as tries`) {
  return await database.query(
    `select ${what} from knex_migrations_journal where kind = 'attempt' and migration like '02%' and detail ->> 'status' <> 'started'`,
  );
}
